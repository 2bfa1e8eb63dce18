"""What two versions of a model made of one recording."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """The result of one version.

    Attributes:
        label: the label of the highest score; None: nobody speaks.
        is_uncertain: whether the version marks the label as uncertain.
        scores: of each label, 0 to 1; empty where nobody speaks.
        duration_ms: of the recording.
        wall_ms: how long the attempt that wrote the result took; None where that was not kept.
        peak_rss_kib: the most memory that its process has held; None where that was not kept.
    """

    label: str | None
    is_uncertain: bool = False
    scores: Mapping[str, float] = field(default_factory=dict)
    duration_ms: int
    wall_ms: int | None = None
    peak_rss_kib: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """One recording under two versions, of which at least one has a result.

    Attributes:
        person: tenant and name; None: nobody knows who speaks.
        a: the result of the first version; None: it has none.
        b: the result of the second.
    """

    person: tuple[str, str] | None
    a: Outcome | None
    b: Outcome | None
