"""Distillation: images that are optimised, or stitched of crops, as networks see them; bases and maths."""

from rethinkdc.compressed.canvases import grid_boxes
from rethinkdc.contracts.presets import Preset, nearest_dataset, nearest_ipc, resolve
from rethinkdc.distillation.batchnorm import matchable, running_statistics
from rethinkdc.distillation.channels import ChannelStatistics, channel_statistics
from rethinkdc.distillation.characteristic import FrequencySampler, characteristic_distance
from rethinkdc.distillation.class_images import RealImages
from rethinkdc.distillation.committee import PATCHES, Committee
from rethinkdc.distillation.convolution import CONVOLUTION, patch_moments, patch_statistics, patches
from rethinkdc.distillation.crop_curriculum import Curve, curriculum
from rethinkdc.distillation.cut_mixing import Mixed, cut_mixed, mixed_loss
from rethinkdc.distillation.descent import Optimisation, Turn, recover
from rethinkdc.distillation.difficulty import from_the_middle, true_class_probabilities
from rethinkdc.distillation.distribution_matching import DistributionMatching
from rethinkdc.distillation.feature_matching import (
    attention_maps,
    embedding,
    gradient_difference,
    mean_distance,
    rectified,
    weight_gradients,
)
from rethinkdc.distillation.formation import EACH_CELL, Formation, fill, form
from rethinkdc.distillation.gathering import class_statistics
from rethinkdc.distillation.gradient_matching import GradientMatching
from rethinkdc.distillation.inverting import Inverting, MatchingBatchNorm, batchnorm_turn, require_batchnorm
from rethinkdc.distillation.layer_statistics import Goal, Smoothing, StatisticsMatching, Targets
from rethinkdc.distillation.moments import Moments, MovingMoments, SampleMoments
from rethinkdc.distillation.optimisation import (
    CHECK_EVERY,
    GradientSum,
    cosine_rate,
    normalised_range,
    optimise,
    require_finite,
)
from rethinkdc.distillation.paper_teachers import CIFAR_TEACHERS, IMAGENET_TEACHERS, SMALL_TEACHERS
from rethinkdc.distillation.parts import assemble_set, make_part
from rethinkdc.distillation.priors import mean_norm, total_variation
from rethinkdc.distillation.recovering import (
    Batch,
    Beginning,
    PixelRange,
    Recovering,
    Synthesis,
    noise,
    real_images,
    require_size,
    stitched_images,
)
from rethinkdc.distillation.resuming import image_state, restore_images, synthesising
from rethinkdc.distillation.spectrum import densification
from rethinkdc.distillation.statistical_matching import Real, Start, StatisticalMatching, renormalisation
from rethinkdc.distillation.statistics import BATCHNORM, Gathered, Statistic, channel_moments, gather
from rethinkdc.distillation.stitching import Stitching
from rethinkdc.distillation.storing import StoredCanvases, to_canvases
from rethinkdc.distillation.trajectories import Matching
from rethinkdc.distillation.trajectory_matching import TrajectoryMatching
from rethinkdc.distillation.trajectory_parameters import trajectory_values
from rethinkdc.distillation.unrolling import Learned, Pull, StudentStep, Weights, match
from rethinkdc.models import build_seeded
from rethinkdc.models.penultimate import linear_classifier
from rethinkdc.training.noise import seed_noise
from rethinkdc.training.teacher import full_precision
from rethinkdc.types import ViewKey
from rethinkdc.views import STRATEGIES, CutMix, DifferentiableOp, DifferentiableViews, Dsa, Roll, Strategy, ViewOp

__all__ = [
    "BATCHNORM",
    "CHECK_EVERY",
    "CIFAR_TEACHERS",
    "CONVOLUTION",
    "EACH_CELL",
    "IMAGENET_TEACHERS",
    "PATCHES",
    "SMALL_TEACHERS",
    "STRATEGIES",
    "Batch",
    "Beginning",
    "ChannelStatistics",
    "Committee",
    "Curve",
    "CutMix",
    "DifferentiableOp",
    "DifferentiableViews",
    "DistributionMatching",
    "Dsa",
    "Formation",
    "FrequencySampler",
    "Gathered",
    "Goal",
    "GradientMatching",
    "GradientSum",
    "Inverting",
    "Learned",
    "Matching",
    "MatchingBatchNorm",
    "Mixed",
    "Moments",
    "MovingMoments",
    "Optimisation",
    "PixelRange",
    "Preset",
    "Pull",
    "Real",
    "RealImages",
    "Recovering",
    "Roll",
    "SampleMoments",
    "Smoothing",
    "Start",
    "Statistic",
    "StatisticalMatching",
    "StatisticsMatching",
    "Stitching",
    "StoredCanvases",
    "Strategy",
    "StudentStep",
    "Synthesis",
    "Targets",
    "TrajectoryMatching",
    "Turn",
    "ViewKey",
    "ViewOp",
    "Weights",
    "assemble_set",
    "attention_maps",
    "batchnorm_turn",
    "build_seeded",
    "channel_moments",
    "channel_statistics",
    "characteristic_distance",
    "class_statistics",
    "cosine_rate",
    "curriculum",
    "cut_mixed",
    "densification",
    "embedding",
    "fill",
    "form",
    "from_the_middle",
    "full_precision",
    "gather",
    "gradient_difference",
    "grid_boxes",
    "image_state",
    "linear_classifier",
    "make_part",
    "match",
    "matchable",
    "mean_distance",
    "mean_norm",
    "mixed_loss",
    "nearest_dataset",
    "nearest_ipc",
    "noise",
    "normalised_range",
    "optimise",
    "patch_moments",
    "patch_statistics",
    "patches",
    "real_images",
    "recover",
    "rectified",
    "renormalisation",
    "require_batchnorm",
    "require_finite",
    "require_size",
    "resolve",
    "restore_images",
    "running_statistics",
    "seed_noise",
    "stitched_images",
    "synthesising",
    "to_canvases",
    "total_variation",
    "trajectory_values",
    "true_class_probabilities",
    "weight_gradients",
]
