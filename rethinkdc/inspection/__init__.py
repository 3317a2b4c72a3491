"""What a file is: looked at with the readers that run and evaluate use, and told before anything is computed."""

from rethinkdc.inspection.findings import Finding, Inspection
from rethinkdc.inspection.inspecting import inspect_file

__all__ = ["Finding", "Inspection", "inspect_file"]
