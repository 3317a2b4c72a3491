"""What a few runs allow to say: spreads, paired differences, families of claims, and the test set's own error.

Every number is in the unit of what was measured: fractions stay fractions. Nothing here imports torch.
"""

from rethinkdc.statistics.components import Components, part_variance
from rethinkdc.statistics.concordance import Concordance, agree, kendall_tau
from rethinkdc.statistics.crossed import Estimate, Part, part_crossed, weigh
from rethinkdc.statistics.designs import Design, choose_design
from rethinkdc.statistics.effects import MainEffect, fit_effects
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
    "Concordance",
    "Design",
    "Deviation",
    "Difference",
    "Estimate",
    "ImageInterval",
    "MainEffect",
    "Part",
    "Spread",
    "adjust_holm",
    "agree",
    "attribute",
    "bound_share",
    "choose_design",
    "coalitions",
    "compare_pairs",
    "describe",
    "fit_effects",
    "judge_family",
    "kendall_tau",
    "mean_of",
    "paired_power",
    "pairs_needed",
    "part_crossed",
    "part_variance",
    "pool_deviations",
    "resample_images",
    "weigh",
]
