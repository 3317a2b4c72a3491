"""The one import of an author: the kinds of method, what they are given, what they return, and the hooks."""

from rethinkdc.compressed import CompressedSet
from rethinkdc.context.context import Context
from rethinkdc.contracts.evaluation import Evaluation, Metric
from rethinkdc.contracts.hooks import hookimpl
from rethinkdc.contracts.kinds import Compressor, Evaluator, Labeler, PaperProxy, Score, TeacherSource
from rethinkdc.data.dataset import Dataset
from rethinkdc.data.splits import Schema, Splits
from rethinkdc.errors import DataError, RequestError, UnsupportedError
from rethinkdc.method import Content, Method, OfKind
from rethinkdc.models.model import Model
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.reference import Reference
from rethinkdc.seeds import Seeds
from rethinkdc.training.teacher import Teacher
from rethinkdc.types import Budget, Images, LabelCost, Supervision, TraceTable, Track, ViewBatch

__all__ = [
    "Budget",
    "CompressedSet",
    "Compressor",
    "Content",
    "Context",
    "DataError",
    "Dataset",
    "Evaluation",
    "Evaluator",
    "Images",
    "LabelCost",
    "Labeler",
    "Method",
    "Metric",
    "Model",
    "OfKind",
    "PaperProxy",
    "Protocol",
    "Reference",
    "RequestError",
    "Schema",
    "Score",
    "Seeds",
    "Splits",
    "Supervision",
    "Teacher",
    "TeacherSource",
    "TraceTable",
    "Track",
    "UnsupportedError",
    "ViewBatch",
    "hookimpl",
]
