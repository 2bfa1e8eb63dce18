"""libsndfile and FFmpeg behind one interface, and the rule by which one takes over from the other."""

from worker.audio.decoders.interface import Block
from worker.audio.decoders.takeover import read_part

__all__ = ["Block", "read_part"]
