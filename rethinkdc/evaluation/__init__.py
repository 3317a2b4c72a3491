"""Evaluation: what a trained student is measured by."""
