"""What a file is, whether it is whole and how long it says it lasts; nothing is decoded here."""

from worker.audio.container.describe import describe_recording
from worker.audio.container.parts import Container, Part

__all__ = ["Container", "Part", "describe_recording"]
