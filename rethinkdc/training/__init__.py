"""Training: recipes, the loop, predictions, and the trace of a proxy."""

from rethinkdc.training.columns import CLEAN_COLUMNS, COLUMNS, observe
from rethinkdc.training.length import Length, order
from rethinkdc.training.loop import LOOP_REVISION, LoopSeeds, TrainingLog, train_network
from rethinkdc.training.observer import Observer
from rethinkdc.training.predict import Prediction, TestView, predict, predict_batches
from rethinkdc.training.recipe import Optimizer, Recipe, Schedule
from rethinkdc.training.targets import HardTargets
from rethinkdc.training.trace import Trace
from rethinkdc.training.trace_recorder import TraceRecorder

__all__ = [
    "CLEAN_COLUMNS",
    "COLUMNS",
    "LOOP_REVISION",
    "HardTargets",
    "Length",
    "LoopSeeds",
    "Observer",
    "Optimizer",
    "Prediction",
    "Recipe",
    "Schedule",
    "TestView",
    "Trace",
    "TraceRecorder",
    "TrainingLog",
    "observe",
    "order",
    "predict",
    "predict_batches",
    "train_network",
]
