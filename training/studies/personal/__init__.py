"""What a person's own baseline changes, measured on scores that are there already; no audio, no torch."""

from training.studies.personal.calibrate import CalibrationOutcome, measure_calibration
from training.studies.personal.draws import MIXES, draw_notes
from training.studies.personal.outcome import Outcome
from training.studies.personal.report import Report, measure_report
from training.studies.personal.scores import keep_known_speakers, read_scores
from training.studies.personal.table import format_tables
from training.studies.personal.trial import N_NOTES, Protocol, measure_corpus, measure_reference

__all__ = [
    "MIXES",
    "N_NOTES",
    "CalibrationOutcome",
    "Outcome",
    "Protocol",
    "Report",
    "draw_notes",
    "format_tables",
    "keep_known_speakers",
    "measure_calibration",
    "measure_corpus",
    "measure_reference",
    "measure_report",
    "read_scores",
]
