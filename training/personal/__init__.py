"""What a person's own baseline changes, measured on predictions that are there already; no audio, no torch."""

from training.personal.draws import MIXES, draw_notes
from training.personal.outcome import Outcome
from training.personal.table import format_tables
from training.personal.trial import N_NOTES, measure_corpus, measure_reference

__all__ = ["MIXES", "N_NOTES", "Outcome", "draw_notes", "format_tables", "measure_corpus", "measure_reference"]
