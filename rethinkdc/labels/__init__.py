"""Labels: who is asked, what is stored, and what a student learns from it; the bases and the maths."""

from rethinkdc.labels.asking import LABEL_SEMANTICS, BatchStatistics, OfViews, SoftLabeler, Tempered
from rethinkdc.labels.cells import OverCells
from rethinkdc.labels.coding import Coding, Dense, Quantised, TopK, TopLogits
from rethinkdc.labels.ensemble import Averaging, Ensemble
from rethinkdc.labels.learning import Learner
from rethinkdc.labels.losses import distillation, divergence, mse_gt, refined_cosine
from rethinkdc.labels.low_rank import LowRank, LowRankLearner
from rethinkdc.labels.mixing import Mix, index_bytes, mix_op
from rethinkdc.labels.reuse import Cooling, CoolingTargets
from rethinkdc.labels.schedule import LabelSchedule, pruned
from rethinkdc.labels.shards import LabelReader, Shards, write_labels
from rethinkdc.labels.storing import StoredLabeler
from rethinkdc.labels.supervision import Objective, OnlineTargets, StaticTargets, StoredTargets
from rethinkdc.protocol.student import StudentTraining, student_training
from rethinkdc.storage import load_tensors, write_tensors
from rethinkdc.training.targets import HardTargets

__all__ = [
    "LABEL_SEMANTICS",
    "Averaging",
    "BatchStatistics",
    "Coding",
    "Cooling",
    "CoolingTargets",
    "Dense",
    "Ensemble",
    "HardTargets",
    "LabelReader",
    "LabelSchedule",
    "Learner",
    "LowRank",
    "LowRankLearner",
    "Mix",
    "Objective",
    "OfViews",
    "OnlineTargets",
    "OverCells",
    "Quantised",
    "Shards",
    "SoftLabeler",
    "StaticTargets",
    "StoredLabeler",
    "StoredTargets",
    "StudentTraining",
    "Tempered",
    "TopK",
    "TopLogits",
    "distillation",
    "divergence",
    "index_bytes",
    "load_tensors",
    "mix_op",
    "mse_gt",
    "pruned",
    "refined_cosine",
    "student_training",
    "write_labels",
    "write_tensors",
]
