"""Two versions of a model on the same recordings, and one version now and earlier; numbers in, records out."""

from trends.comparing.gates import Breach, Limits, Verdict, check_limits
from trends.comparing.pairs import Outcome, Pair
from trends.comparing.records import Agreement, ClassShift, Comparison, Cost, PersonMove, PersonShifts, Speech
from trends.comparing.tally import NO_SPEECH, Tally

__all__ = [
    "NO_SPEECH",
    "Agreement",
    "Breach",
    "ClassShift",
    "Comparison",
    "Cost",
    "Limits",
    "Outcome",
    "Pair",
    "PersonMove",
    "PersonShifts",
    "Speech",
    "Tally",
    "Verdict",
    "check_limits",
]
