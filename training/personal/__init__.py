"""What a person's own baseline changes, measured on scores that are there already; no audio, no torch."""

from training.personal.calibrate import CalibrationOutcome, measure_calibration
from training.personal.draws import EVEN, MIXES, draw_notes
from training.personal.outcome import Outcome
from training.personal.scores import keep_known_speakers, read_scores
from training.personal.table import format_calibration, format_ordinary, format_tables
from training.personal.trial import N_NOTES, Protocol, measure_corpus, measure_reference

__all__ = [
    "EVEN",
    "MIXES",
    "N_NOTES",
    "CalibrationOutcome",
    "Outcome",
    "Protocol",
    "draw_notes",
    "format_calibration",
    "format_ordinary",
    "format_tables",
    "keep_known_speakers",
    "measure_calibration",
    "measure_corpus",
    "measure_reference",
    "read_scores",
]
