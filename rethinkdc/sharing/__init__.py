"""Finished sets for others: a folder or a dataset of a hub that says of itself what it is."""

from rethinkdc.sharing.exporting import Exported, export_set

__all__ = ["Exported", "export_set"]
