"""Evaluation: a student is trained on a labelled set, and measured on the test images."""

from rethinkdc.evaluation.metrics import classification_metrics, per_class_top1
from rethinkdc.evaluation.student_evaluator import Student, StudentEvaluator

__all__ = ["Student", "StudentEvaluator", "classification_metrics", "per_class_top1"]
