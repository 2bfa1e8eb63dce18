"""Bundles judged on corpora that they were not trained on and on ordinary speech, scored as serving does; no torch."""

from training.studies.left_out.corpora import parse_corpora
from training.studies.left_out.judge import PROTOCOL, JudgedBundle, Plan, judge
from training.studies.left_out.writing import write_report

__all__ = ["PROTOCOL", "JudgedBundle", "Plan", "judge", "parse_corpora", "write_report"]
