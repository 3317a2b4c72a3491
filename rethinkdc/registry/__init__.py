"""The installed plugins: found, built from references, spelled and described; protocols; trackers."""

from rethinkdc.registry.admission import ALL_KINDS
from rethinkdc.registry.describing import Listed
from rethinkdc.registry.registry import Registry

__all__ = ["ALL_KINDS", "Listed", "Registry"]
