"""Measures of a classifier from its predictions, as one page of HTML and one JSON."""

from training.measures.predictions import Predictions, collect_predictions, read_predictions, write_predictions
from training.measures.summary import Summary, summarise
from training.measures.writing import write_report

__all__ = [
    "Predictions",
    "Summary",
    "collect_predictions",
    "read_predictions",
    "summarise",
    "write_predictions",
    "write_report",
]
