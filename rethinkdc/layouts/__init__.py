"""Datasets as they lie on disks and hubs: the layouts that are known, and the rest refused.

Importing this package imports neither ``datasets`` nor ``pyarrow``.
"""

from rethinkdc.layouts.file_datasets import FolderDataset, HubDataset, HubFileDataset
from rethinkdc.layouts.subsets import ClassSubset

__all__ = ["ClassSubset", "FolderDataset", "HubDataset", "HubFileDataset"]
