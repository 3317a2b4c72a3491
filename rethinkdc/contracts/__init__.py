"""The one import of an author: the kinds of method, what they are given, what they return, and the hooks."""

from rethinkdc.compressed import CompressedSet
from rethinkdc.contracts.context import Context
from rethinkdc.contracts.engines import STOPS, Command, Crew, Engine, last_words
from rethinkdc.contracts.hooks import hookimpl
from rethinkdc.contracts.kinds import (
    Adjustable,
    Compressor,
    Deviation,
    Evaluator,
    Labeler,
    PaperProxy,
    Score,
    Setting,
    TeacherSource,
    Tracker,
)
from rethinkdc.contracts.presets import Preset, resolve
from rethinkdc.contracts.telling import final_figures, flat_settings, run_title
from rethinkdc.data.backing import Backing
from rethinkdc.data.chunks import joined
from rethinkdc.data.dataset import Dataset
from rethinkdc.data.splits import Schema, Splits
from rethinkdc.errors import DataError, RequestError, UnsupportedError, nearest
from rethinkdc.measurement import Evaluation, Metric
from rethinkdc.method import Content, Method, OfKind
from rethinkdc.models.model import Model
from rethinkdc.protocol.full_training import TrainedNetwork
from rethinkdc.protocol.protocol import FullTraining, Network, Protocol, Proxy
from rethinkdc.reference import Reference
from rethinkdc.seeds import Axis, Seeds, generator
from rethinkdc.training.checkpoint import Resumable
from rethinkdc.training.predict import TestView
from rethinkdc.training.recipe import Optimizer, Recipe, Schedule
from rethinkdc.training.teacher import Teacher
from rethinkdc.types import (
    Budget,
    Direction,
    Fit,
    Images,
    Interpolation,
    LabelCost,
    Predictions,
    ProxyNetwork,
    Supervision,
    TraceTable,
    Track,
    ViewBatch,
)
from rethinkdc.views import CropOp, DifferentiableOp, MixOp, PixelOp, ViewOp

__all__ = [
    "STOPS",
    "Adjustable",
    "Axis",
    "Backing",
    "Budget",
    "Command",
    "CompressedSet",
    "Compressor",
    "Content",
    "Context",
    "Crew",
    "CropOp",
    "DataError",
    "Dataset",
    "Deviation",
    "DifferentiableOp",
    "Direction",
    "Engine",
    "Evaluation",
    "Evaluator",
    "Fit",
    "FullTraining",
    "Images",
    "Interpolation",
    "LabelCost",
    "Labeler",
    "Method",
    "Metric",
    "MixOp",
    "Model",
    "Network",
    "OfKind",
    "Optimizer",
    "PaperProxy",
    "PixelOp",
    "Predictions",
    "Preset",
    "Protocol",
    "Proxy",
    "ProxyNetwork",
    "Recipe",
    "Reference",
    "RequestError",
    "Resumable",
    "Schedule",
    "Schema",
    "Score",
    "Seeds",
    "Setting",
    "Splits",
    "Supervision",
    "Teacher",
    "TeacherSource",
    "TestView",
    "TraceTable",
    "Track",
    "Tracker",
    "TrainedNetwork",
    "UnsupportedError",
    "ViewBatch",
    "ViewOp",
    "final_figures",
    "flat_settings",
    "generator",
    "hookimpl",
    "joined",
    "last_words",
    "nearest",
    "resolve",
    "run_title",
]
