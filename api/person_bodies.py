"""The documents about a person: what is unusual for them in a note, their days, and their trends.

Words for people are of expressed emotion in the voice as this model hears it, not of feelings. `scores` is what the model
hears; `relative` is what is unusual for this person.
"""

from datetime import date, datetime
from typing import Any, Self

from pydantic import BaseModel, Field

from api.shared_bodies import NEXT_CURSOR, RELATIVE_SCORES, SCORES, ModelName, example
from db.people_rows import RelativeResult, SubjectDay
from db.reasons import BaselineState

IS_UP_TO_DATE = "Whether days and trends show every note there is; false from a change until the refresh after it, seconds later as a rule."
RELATIVE: dict[str, Any] = {
    "scores": RELATIVE_SCORES,
    "label": "neutral",
    "confidence": 0.37,
    "is_uncertain": True,
    "baseline": {"id": 3, "state": "personal", "n_notes": 10, "rule_version": 1},
    "related_at": "2026-03-03T02:00:52.410000Z",
}


class BaselineName(BaseModel):
    """On what a relative score stands: the person's own baseline, which does not change after it was used."""

    id: int | None = Field(description="Null where no note of the person was scored before this one.")
    state: BaselineState = Field(
        description="`insufficient`: too few notes before this one, so that nothing may be called unusual; `personal`: enough."
    )
    n_notes: int = Field(description="Earlier notes of the person behind it.")
    rule_version: int | None = Field(description="Of the rule that made it.")


class RelativeBody(BaseModel):
    """A note's scores relative to what was usual for this person before it; null inside while too little was known.

    They say what is unusual for the person: somebody who always sounds sad looks ordinary here, and sad in `scores`.
    """

    model_config = example(RELATIVE)

    scores: dict[str, float] | None = Field(description="Each label's share in [0, 1]; they sum to 1.")
    label: str | None = Field(description="The label with the highest of them.")
    confidence: float | None = Field(description="The share of `label`.")
    is_uncertain: bool | None = Field(description="Whether that is too low to rely on.")
    baseline: BaselineName
    related_at: datetime

    @classmethod
    def of(cls, relative: RelativeResult) -> Self:
        """Write what is unusual in a note."""
        baseline = BaselineName(
            id=relative.baseline_id,
            state=relative.state,
            n_notes=relative.n_notes,
            rule_version=relative.rule_version,
        )
        same = ("scores", "label", "confidence", "is_uncertain", "related_at")
        return cls(baseline=baseline, **{name: getattr(relative, name) for name in same})


class Level(BaseModel):
    """The level of a day in one measure, as the trends are judged by it."""

    level: float = Field(
        description="Of a label log odds: 0 is a score of one half. Of a measure of the voice on its own scale (docs/trends.md)."
    )
    error: float = Field(description="Standard error of that.")


class DayBody(BaseModel):
    """One day of a person on the recorder's calendar: plain means of its scored notes, and what could not be heard.

    A day without a scored note is there too, with its counts: a gap is never silence.
    """

    model_config = example(
        {
            "day": "2026-03-02",
            "week": "2026-03-02",
            "n_scored": 2,
            "n_uncertain": 1,
            "n_no_speech": 0,
            "n_failed": 0,
            "n_pending": 1,
            "speech_ms": 38000,
            "scores": SCORES,
            "relative": RELATIVE_SCORES,
            "levels": {label: {"level": -1.2, "error": 0.4} for label in SCORES},
            "arousal": 0.41,
            "valence": -0.12,
            "refreshed_at": "2026-03-03T02:00:52.410000Z",
        }
    )

    day: date
    week: date = Field(description="The Monday of its week.")
    n_scored: int
    n_uncertain: int = Field(description="Of the scored ones, those whose label is uncertain; they are in the means.")
    n_no_speech: int
    n_failed: int = Field(description="Cancelled ones among them.")
    n_pending: int
    speech_ms: int = Field(description="Of the scored notes.")
    scores: dict[str, float] | None = Field(description="Mean of the scored notes; null where there are none.")
    relative: dict[str, float] | None = Field(
        description="The same of the relative scores, of those notes that have some; null where none has."
    )
    levels: dict[str, Level] | None = Field(
        description="By label and by measure of the voice; null where no note gives one."
    )
    arousal: float | None
    valence: float | None
    refreshed_at: datetime

    @classmethod
    def of(cls, day: SubjectDay) -> Self:
        """Write a day."""
        levels = None if day.levels is None else {label: Level(**level) for label, level in day.levels.items()}
        same = {name: getattr(day, name) for name in cls.model_fields if name != "levels"}
        return cls(levels=levels, **same)


class DayPage(BaseModel):
    """Days, and where the list goes on."""

    model: ModelName | None = Field(description="Whose scores these are; null where no model is active.")
    is_up_to_date: bool = Field(description=IS_UP_TO_DATE)
    days: list[DayBody]
    next_cursor: str | None = Field(description=NEXT_CURSOR)
