"""Reports: boards and figures of records, as one page that needs no network, and as single pictures."""

from rethinkdc.reports.figures import Figure, Section
from rethinkdc.reports.writing import ReportFile, list_figures, write_plot, write_report

__all__ = ["Figure", "ReportFile", "Section", "list_figures", "write_plot", "write_report"]
