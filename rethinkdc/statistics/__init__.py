"""What a few runs allow to say: spreads, paired differences, families of claims, and the test set's own error.

Every number is in the unit of what was measured: fractions stay fractions. Nothing here imports torch.
"""

from rethinkdc.statistics.components import Components, part_variance
from rethinkdc.statistics.families import adjust_holm, judge_family
from rethinkdc.statistics.images import ImageInterval, resample_images
from rethinkdc.statistics.paired import CONFIDENCE, Difference, compare_pairs
from rethinkdc.statistics.power import ASSURANCE, POWER, Deviation, paired_power, pairs_needed, pool_deviations
from rethinkdc.statistics.shapley import attribute, coalitions
from rethinkdc.statistics.shares import bound_share
from rethinkdc.statistics.spread import Spread, describe, mean_of

__all__ = [
    "ASSURANCE",
    "CONFIDENCE",
    "POWER",
    "Components",
    "Deviation",
    "Difference",
    "ImageInterval",
    "Spread",
    "adjust_holm",
    "attribute",
    "bound_share",
    "coalitions",
    "compare_pairs",
    "describe",
    "judge_family",
    "mean_of",
    "paired_power",
    "pairs_needed",
    "part_variance",
    "pool_deviations",
    "resample_images",
]
