"""Pruning: rows of the training set chosen by scores, features and gradients; the bases and the maths."""

from rethinkdc.protocol.protocol import Epoch
from rethinkdc.protocol.proxy import as_epoch
from rethinkdc.pruning.ascent import Ascent, pick_by_step
from rethinkdc.pruning.boundary import boundary_distances
from rethinkdc.pruning.classwise import Choice, Choose, groups_of, random_ranks
from rethinkdc.pruning.curves import (
    epoch_mean,
    forgetting_events,
    largest_probability,
    spread,
    spread_of_the_uncertain,
    weighted_changes,
    windowed_mean,
)
from rethinkdc.pruning.divergence import contrast, farthest_first, log_probabilities
from rethinkdc.pruning.dynamics import Dynamics, Epochs, Observed, Planned, Snapshot, Span, Windowed
from rethinkdc.pruning.facility_location import assigned, cosine_similarity, distance_similarity, locate_facilities
from rethinkdc.pruning.farthest import farthest_points
from rethinkdc.pruning.foreign import OfCopy
from rethinkdc.pruning.gradients import LastLayer, Space, vectors_of
from rethinkdc.pruning.medians import median_distances, middle
from rethinkdc.pruning.medoids import k_means_medoids
from rethinkdc.pruning.messages import Edges, gather_scores, join, pick_apart
from rethinkdc.pruning.neighbours import nearest_neighbours
from rethinkdc.pruning.norms import gradient_norms
from rethinkdc.pruning.picking import Picked, pick, random_rows
from rethinkdc.pruning.pooled import PooledScore
from rethinkdc.pruning.prototypes import Prototypes, find_prototypes, nearest_before, nearest_prototypes
from rethinkdc.pruning.pursuit import match_gradients, require_room
from rethinkdc.pruning.running import cut_graph, herd
from rethinkdc.pruning.sampling import baseline_rows, draw, dual_beta_weights
from rethinkdc.pruning.selector import Selector
from rethinkdc.pruning.strata import cover_strata, drop_highest, rotate
from rethinkdc.pruning.ties import ascending, by_rank
from rethinkdc.pruning.varying import input_gradient, snapshots, standardised, variation
from rethinkdc.pruning.vectors import Points
from rethinkdc.row_files.files import count_rows, read_rows, read_scores

__all__ = [
    "Ascent",
    "Choice",
    "Choose",
    "Dynamics",
    "Edges",
    "Epoch",
    "Epochs",
    "LastLayer",
    "Observed",
    "OfCopy",
    "Picked",
    "Planned",
    "Points",
    "PooledScore",
    "Prototypes",
    "Selector",
    "Snapshot",
    "Space",
    "Span",
    "Windowed",
    "as_epoch",
    "ascending",
    "assigned",
    "baseline_rows",
    "boundary_distances",
    "by_rank",
    "contrast",
    "cosine_similarity",
    "count_rows",
    "cover_strata",
    "cut_graph",
    "distance_similarity",
    "draw",
    "drop_highest",
    "dual_beta_weights",
    "epoch_mean",
    "farthest_first",
    "farthest_points",
    "find_prototypes",
    "forgetting_events",
    "gather_scores",
    "gradient_norms",
    "groups_of",
    "herd",
    "input_gradient",
    "join",
    "k_means_medoids",
    "largest_probability",
    "locate_facilities",
    "log_probabilities",
    "match_gradients",
    "median_distances",
    "middle",
    "nearest_before",
    "nearest_neighbours",
    "nearest_prototypes",
    "pick",
    "pick_apart",
    "pick_by_step",
    "random_ranks",
    "random_rows",
    "read_rows",
    "read_scores",
    "require_room",
    "rotate",
    "snapshots",
    "spread",
    "spread_of_the_uncertain",
    "standardised",
    "variation",
    "vectors_of",
    "weighted_changes",
    "windowed_mean",
]
