"""Inverting a network: images whose classes and statistics it takes for those of real ones."""

from rethinkdc.distillation.batchnorm import matchable, running_statistics
from rethinkdc.distillation.channels import ChannelStatistics, channel_statistics
from rethinkdc.distillation.convolution import CONVOLUTION, patch_moments, patch_statistics, patches
from rethinkdc.distillation.descent import Optimisation, Turn, recover
from rethinkdc.distillation.moments import Moments, MovingMoments, SampleMoments
from rethinkdc.distillation.optimise import cosine_rate, normalised_range, optimise
from rethinkdc.distillation.presets import Preset, Setting, nearest_dataset, resolve
from rethinkdc.distillation.spectrum import densification
from rethinkdc.distillation.statistics import BATCHNORM, Gathered, Kind, channel_moments, gather
from rethinkdc.distillation.statistics_matching import Goal, Smoothing, StatisticsMatching, Targets
from rethinkdc.distillation.storing import StoredCanvases, to_canvases

__all__ = [
    "BATCHNORM",
    "CONVOLUTION",
    "ChannelStatistics",
    "Gathered",
    "Goal",
    "Kind",
    "Moments",
    "MovingMoments",
    "Optimisation",
    "Preset",
    "SampleMoments",
    "Setting",
    "Smoothing",
    "StatisticsMatching",
    "StoredCanvases",
    "Targets",
    "Turn",
    "channel_moments",
    "channel_statistics",
    "cosine_rate",
    "densification",
    "gather",
    "matchable",
    "nearest_dataset",
    "normalised_range",
    "optimise",
    "patch_moments",
    "patch_statistics",
    "patches",
    "recover",
    "resolve",
    "running_statistics",
    "to_canvases",
]
