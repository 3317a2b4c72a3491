"""Packages to begin with: what ``new-plugin`` writes, as texts with places for names."""

from rethinkdc.templates.kinds import KINDS, Kind
from rethinkdc.templates.naming import Naming, name_package
from rethinkdc.templates.writing import Written, write_package

__all__ = ["KINDS", "Kind", "Naming", "Written", "name_package", "write_package"]
