"""Inverting a network: images whose classes and statistics it takes for those of real ones."""

from rethinkdc.inversion.batchnorm import matchable, running_statistics
from rethinkdc.inversion.channels import ChannelStatistics, channel_statistics
from rethinkdc.inversion.convolution import CONVOLUTION, patch_moments, patch_statistics, patches
from rethinkdc.inversion.matched import Goal, Smoothing, StatisticsMatching, Targets
from rethinkdc.inversion.moments import Moments, MovingMoments, SampleMoments
from rethinkdc.inversion.optimise import cosine_rate, normalised_range, optimise
from rethinkdc.inversion.presets import Preset, Setting, nearest_dataset, resolve
from rethinkdc.inversion.recover import Recipe, Turn, recover
from rethinkdc.inversion.spectrum import densification
from rethinkdc.inversion.statistics import BATCHNORM, Gathered, Kind, channel_moments, gather
from rethinkdc.inversion.store import Stored, to_canvases

__all__ = [
    "BATCHNORM",
    "CONVOLUTION",
    "ChannelStatistics",
    "Gathered",
    "Goal",
    "Kind",
    "Moments",
    "MovingMoments",
    "Preset",
    "Recipe",
    "SampleMoments",
    "Setting",
    "Smoothing",
    "StatisticsMatching",
    "Stored",
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
