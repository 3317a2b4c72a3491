"""Training: recipes, the loop, predictions, and the trace of a proxy."""

from rethinkdc.training.columns import CLEAN_COLUMNS, COLUMNS, observe
from rethinkdc.training.length import Plan, order
from rethinkdc.training.loop import LOOP_REVISION, Fit, FitSeeds, fit
from rethinkdc.training.observer import Observer
from rethinkdc.training.predict import Prediction, TestView, predict, predict_batches
from rethinkdc.training.recipe import Optimizer, Recipe, Schedule
from rethinkdc.training.targets import HardTargets
from rethinkdc.training.trace import Trace, TraceRecorder

__all__ = [
    "CLEAN_COLUMNS",
    "COLUMNS",
    "LOOP_REVISION",
    "Fit",
    "FitSeeds",
    "HardTargets",
    "Observer",
    "Optimizer",
    "Plan",
    "Prediction",
    "Recipe",
    "Schedule",
    "TestView",
    "Trace",
    "TraceRecorder",
    "fit",
    "observe",
    "order",
    "predict",
    "predict_batches",
]
