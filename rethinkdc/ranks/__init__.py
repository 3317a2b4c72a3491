"""Several processes that do one run together, as ``torchrun`` starts them: ranks that share a cache folder.

Every rank runs the same command and walks the whole run. The first decides what is found and what is made, and tells
the others; it alone holds locks, writes files and prints. Networks are trained by all together, parts of a set are made
by each in turn. Imports nothing heavy before ranks meet.
"""

from rethinkdc.ranks.living import PATIENCE, patience, wait_for
from rethinkdc.ranks.place import RankError, leads, local_rank, own_parts, rank, stand_alone, world
from rethinkdc.ranks.walk import apart, decided, join, leave, meet, require_alike, together, writes

__all__ = [
    "PATIENCE",
    "RankError",
    "apart",
    "decided",
    "join",
    "leads",
    "leave",
    "local_rank",
    "meet",
    "own_parts",
    "patience",
    "rank",
    "require_alike",
    "stand_alone",
    "together",
    "wait_for",
    "world",
    "writes",
]
