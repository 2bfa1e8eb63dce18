"""Out-of-fold predictions by group of speakers: who is heard worse, and who is called uncertain."""

from training.measures.slices.actors import Actor, group_speakers, read_actors
from training.measures.slices.measures import measure_slices
from training.measures.slices.records import SliceReport

__all__ = ["Actor", "SliceReport", "group_speakers", "measure_slices", "read_actors"]
