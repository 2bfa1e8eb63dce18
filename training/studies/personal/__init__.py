"""What a person's own baseline changes, measured on predictions that are there already; no audio, no torch."""

from training.studies.personal.draws import MIXES, draw_notes
from training.studies.personal.outcome import Outcome
from training.studies.personal.table import format_tables
from training.studies.personal.trial import N_NOTES, measure_corpus, measure_reference

__all__ = ["MIXES", "N_NOTES", "Outcome", "draw_notes", "format_tables", "measure_corpus", "measure_reference"]
