"""Inverting a network: images whose classes and statistics it takes for those of real ones."""

from rethinkdc.inversion.batchnorm import BatchNormMatching, matchable, running_statistics
from rethinkdc.inversion.channels import ChannelStatistics, channel_statistics
from rethinkdc.inversion.moments import Moments, MovingMoments, SampleMoments
from rethinkdc.inversion.optimise import cosine_rate, normalised_range, optimise
from rethinkdc.inversion.presets import Preset, Setting, nearest_dataset, resolve
from rethinkdc.inversion.recover import Recipe, recover
from rethinkdc.inversion.statistics import BATCHNORM, Gathered, Kind, channel_moments, gather
from rethinkdc.inversion.store import Stored, to_canvases

__all__ = [
    "BATCHNORM",
    "BatchNormMatching",
    "ChannelStatistics",
    "Gathered",
    "Kind",
    "Moments",
    "MovingMoments",
    "Preset",
    "Recipe",
    "SampleMoments",
    "Setting",
    "Stored",
    "channel_moments",
    "channel_statistics",
    "cosine_rate",
    "gather",
    "matchable",
    "nearest_dataset",
    "normalised_range",
    "optimise",
    "recover",
    "resolve",
    "running_statistics",
    "to_canvases",
]
