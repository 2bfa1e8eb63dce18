"""Where the four labels lie in arousal and valence.

After the circumplex model (Russell 1980), whose active half holds anger and happiness and whose pleasant half holds
happiness alone of these four. No corpus here was rated in dimensions, so a head of its own would learn these very sums.
"""

from __future__ import annotations

from collections.abc import Mapping

AROUSAL: Mapping[str, float] = {"anger": 1.0, "happiness": 1.0, "neutral": 0.0, "sadness": 0.0}
VALENCE: Mapping[str, float] = {"anger": -1.0, "happiness": 1.0, "neutral": 0.0, "sadness": -1.0}
DIMENSIONS: Mapping[str, Mapping[str, float]] = {"arousal": AROUSAL, "valence": VALENCE}


def name_outputs() -> dict[str, dict[str, str | float]]:
    """Return the manifest's key `dimensions`: the graph's output of each and between which values a weighted sum lies.

    >>> name_outputs()["valence"]
    {'output': 'valence', 'low': -1.0, 'high': 1.0}
    """
    return {
        name: {"output": name, "low": min(weights.values()), "high": max(weights.values())}
        for name, weights in DIMENSIONS.items()
    }
