"""What each column of an export means; files, `export.json` and docs/exports.md are held to this."""

from dataclasses import dataclass, replace
from enum import StrEnum

WORDS = "Scores say which emotion a voice expresses as this model hears it. They are not feelings and not a diagnosis."


class Kind(StrEnum):
    """What a column holds; a missing value is null, in CSV an empty field."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    FLAG = "true or false"
    MOMENT = "moment"  # in UTC
    LOCAL_MOMENT = "local time"  # what a clock showed, without a zone
    DAY = "day"
    SCORES = "scores"  # label -> number
    DOCUMENT = "document"  # JSON


@dataclass(frozen=True)
class Column:
    """One column: its name, what it holds and what that means."""

    name: str
    kind: Kind
    meaning: str


@dataclass(frozen=True)
class TableOf:
    """One table of an export, by the name of its file."""

    name: str
    meaning: str
    columns: tuple[Column, ...]


_EMOTIONS = tuple(
    Column(label, Kind.NUMBER, f"score of {label} in [0, 1]") for label in ("anger", "happiness", "neutral", "sadness")
)
_ALL_SCORES = Column("scores", Kind.SCORES, "every score of the model, those four among them; they sum to 1")
_DIMENSIONS = (
    Column(
        "arousal", Kind.NUMBER, "how active it sounds, in the range of the model's card; empty where it says nothing"
    ),
    Column("valence", Kind.NUMBER, "how pleasant it sounds, likewise"),
)
VOICE = (
    Column("pitch_median_hz", Kind.NUMBER, "median pitch of the voice, Hz; empty with under 0.3 s of voiced speech"),
    Column(
        "pitch_spread_semitones",
        Kind.NUMBER,
        "how far the pitch moves within 4 s of speech: standard deviation, semitones; empty with less speech",
    ),
    Column(
        "level_spread_db",
        Kind.NUMBER,
        "how far the level moves within 4 s of speech: standard deviation, dB; empty with less speech",
    ),
    Column("onsets_per_s", Kind.NUMBER, "syllable-like onsets in a second of speech"),
    Column("pause_share", Kind.NUMBER, "share of pauses between the first and the last speech, 0 to 1"),
    Column("speaking_share", Kind.NUMBER, "share of speech in the whole recording, 0 to 1"),
)
"""Measures of the voice, which need no emotion model (docs/trends.md)."""
_OF_DAYS = tuple(
    replace(column, meaning=f"mean of the day's notes on the `scale` that `trends` names: {column.meaning}")
    for column in VOICE
    if column.name != "speaking_share"  # which depends on how a note was cut, and has no trend
)
_MODEL = (
    Column("model_name", Kind.TEXT, "which model scored it"),
    Column("model_version", Kind.TEXT, "its version"),
)
_RELATIVE = Column(
    "relative",
    Kind.SCORES,
    "the same relative to what was usual for this person before: what is unusual for them; empty while too little is known",
)
_REFRESHED = Column("refreshed_at", Kind.MOMENT, "when this row was made")
_RECORDING = Column("recording_id", Kind.INTEGER, "which recording")
_TENANT = Column("tenant", Kind.TEXT, "whose recording it is")
_SUBJECT = Column("subject", Kind.TEXT, "the person; empty where nobody said")
_RECORDED_AT = Column("recorded_at", Kind.MOMENT, "when it was spoken; empty where nobody said")

NOTES = TableOf(
    "notes",
    "one row for each recording that its key holds now",
    (
        _RECORDING,
        _TENANT,
        _SUBJECT,
        _RECORDED_AT,
        Column("utc_offset_min", Kind.INTEGER, "minutes that the recorder's clock was ahead of UTC"),
        Column("recorded_at_zone", Kind.TEXT, "the IANA zone that gave them"),
        Column("recorded_at_local", Kind.LOCAL_MOMENT, "what the recorder's clock showed"),
        Column("recorded_at_precision", Kind.TEXT, "`second`, `minute` or `day`"),
        Column("recorded_at_source", Kind.TEXT, "where the time is known from"),
        Column("uploaded_at", Kind.MOMENT, "when the object was stored"),
        Column("day", Kind.DAY, "the day on the recorder's calendar"),
        Column("week", Kind.DAY, "the Monday of its week"),
        Column("status", Kind.TEXT, "`scored`, `no_speech`, `failed`, `cancelled` or `pending`"),
        Column("reason", Kind.TEXT, "why a failed or cancelled one ended"),
        Column("label", Kind.TEXT, "the label with the highest score"),
        Column("confidence", Kind.NUMBER, "the score of `label`"),
        Column("is_uncertain", Kind.FLAG, "whether that is too low to rely on"),
        *_EMOTIONS,
        _ALL_SCORES,
        _RELATIVE,
        Column("relative_label", Kind.TEXT, "the label with the highest relative score"),
        Column("relative_confidence", Kind.NUMBER, "the relative score of that label"),
        Column("relative_is_uncertain", Kind.FLAG, "whether that is too low to rely on"),
        Column("baseline_id", Kind.INTEGER, "which baseline of the person it is relative to"),
        Column("baseline_n_notes", Kind.INTEGER, "of how many earlier notes that is made; 0 where nothing was known"),
        Column("slope_per_min", Kind.SCORES, "change of each score within the note, per minute; empty if it is short"),
        *_DIMENSIONS,
        *VOICE,
        Column("speech_ms", Kind.INTEGER, "how much of it is speech"),
        Column("duration_ms", Kind.INTEGER, "how long it is"),
        *_MODEL,
        Column("scored_at", Kind.MOMENT, "when it was scored"),
    ),
)
SEGMENTS = TableOf(
    "segments",
    "one row for each scored window of those notes",
    (
        _RECORDING,
        _TENANT,
        _SUBJECT,
        _RECORDED_AT,
        Column("idx", Kind.INTEGER, "its place in the note, from 0"),
        Column("start_ms", Kind.INTEGER, "where it begins on the original file's clock"),
        Column("end_ms", Kind.INTEGER, "where it ends, itself not included"),
        Column("speech_ms", Kind.INTEGER, "how much speech it has that no window before it has"),
        *_EMOTIONS,
        _ALL_SCORES,
        *_DIMENSIONS,
        *_MODEL,
    ),
)
DAYS = TableOf(
    "days",
    "one row for each person and local day with a note: means of its scored notes, and how many have no score",
    (
        _TENANT,
        Column("subject", Kind.TEXT, "the person"),
        Column("day", Kind.DAY, "the day on the recorder's calendar"),
        Column("week", Kind.DAY, "the Monday of its week"),
        Column("n_scored", Kind.INTEGER, "how many notes were scored"),
        Column("n_uncertain", Kind.INTEGER, "how many of them are too uncertain to rely on"),
        Column("n_no_speech", Kind.INTEGER, "how many had no speech"),
        Column("n_failed", Kind.INTEGER, "how many failed or were cancelled"),
        Column("n_pending", Kind.INTEGER, "how many are not scored yet"),
        Column("speech_ms", Kind.INTEGER, "how much speech the scored ones have"),
        Column("scores", Kind.SCORES, "mean of their scores; empty where none was scored"),
        Column("relative", Kind.SCORES, "mean of their relative scores, of those that have some"),
        Column(
            "levels",
            Kind.DOCUMENT,
            "label or measure of the voice -> `level` and its standard `error`, on the `scale` that `trends` names",
        ),
        *_DIMENSIONS,
        *_OF_DAYS,
        *_MODEL,
        _REFRESHED,
    ),
)
TRENDS = TableOf(
    "trends",
    "one row for each person and measure: recent days against the person's own past (docs/trends.md)",
    (
        _TENANT,
        Column("subject", Kind.TEXT, "the person"),
        Column("measure", Kind.TEXT, "a label, or a measure of the voice such as `pause_share`"),
        Column("state", Kind.TEXT, "`stable`, `shifted_up`, `shifted_down` or `insufficient`"),
        Column("reason", Kind.TEXT, "why"),
        Column("as_of", Kind.DAY, "up to which day"),
        Column("since", Kind.DAY, "when a shift most likely began; empty where there is none"),
        Column("usual", Kind.NUMBER, "what is usual for the person, in `unit`; empty while too little is known"),
        Column("recent", Kind.NUMBER, "the recent days, in `unit`; likewise"),
        Column("unit", Kind.TEXT, "`score` of a label; of a measure of the voice `Hz`, `semitones`, `dB`, ..."),
        Column("scale", Kind.TEXT, "on which days are compared: `log_odds`, `log`, `semitones` or `odds`"),
        Column("baseline", Kind.DOCUMENT, "the person's own baseline of days; empty while there are too few"),
        Column("trend", Kind.DOCUMENT, "the numbers behind it, on `scale`"),
        *_MODEL,
        _REFRESHED,
    ),
)
TABLES = (NOTES, SEGMENTS, DAYS, TRENDS)
