"""The words that rows may hold: states, lanes, outcomes and reasons; it never holds free text."""

from enum import StrEnum


class RecordingState(StrEnum):
    """Whether an object version is the one that its key holds now."""

    LIVE = "LIVE"
    SUPERSEDED = "SUPERSEDED"
    ERASED = "ERASED"


class JobState(StrEnum):
    """Where a job stands. DONE, DEAD and CANCELLED are terminal."""

    PENDING = "PENDING"
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    DONE = "DONE"
    DEAD = "DEAD"
    CANCELLED = "CANCELLED"


class Lane(StrEnum):
    """Which queue a job is published in; `config.queues.LANES` is the order of service."""

    INTERACTIVE = "interactive"
    NIGHTLY = "nightly"
    BULK = "bulk"
    QUARANTINE = "quarantine"


class BatchState(StrEnum):
    """Where a batch stands: it goes on, waits for a person, was given up, or every job of it has ended."""

    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    CANCELLED = "CANCELLED"
    DONE = "DONE"


class ResultStatus(StrEnum):
    """What a finished job found in its recording."""

    SCORED = "SCORED"
    NO_SPEECH = "NO_SPEECH"


class Outcome(StrEnum):
    """How one attempt ended."""

    DONE = "DONE"
    DEAD = "DEAD"
    RETRY = "RETRY"
    RELEASED = "RELEASED"
    LOST = "LOST"
    ERASED = "ERASED"


class ErasureScope(StrEnum):
    """What an erasure takes away: everything about a recording, or its audio only."""

    ALL = "ALL"
    AUDIO = "AUDIO"


class DriftState(StrEnum):
    """What the nightly measure of drift comes to."""

    TOO_FEW = "too_few"
    STABLE = "stable"
    MOVED = "moved"


class ChangeCause(StrEnum):
    """What corrected the person, tenant or time of a registered recording."""

    SCAN = "scan"
    IDENTIFY = "identify"
    RENAME = "rename"
    MERGE = "merge"


class ChangeKind(StrEnum):
    """What the feed of changes tells app backends."""

    NOTE_UPSERTED = "note.upserted"
    NOTE_DELETED = "note.deleted"
    MODEL_ACTIVATED = "model.activated"


class EventKind(StrEnum):
    """What webhooks tell app backends."""

    NOTE_SCORED = "note.scored"
    NOTE_FAILED = "note.failed"
    NOTE_DELETED = "note.deleted"
    DAY_UPDATED = "day.updated"
    TREND_CHANGED = "trend.changed"
    SUBJECT_ERASED = "subject.erased"
    MODEL_ACTIVATED = "model.activated"
    TEST = "webhook.test"
    NIGHT_FINISHED = "night.finished"
    ALERT_OPENED = "alert.opened"
    ALERT_CLOSED = "alert.closed"


class DeliveryState(StrEnum):
    """Where one webhook message to one endpoint stands. CANCELLED: what it was about is not there any more."""

    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class DisabledReason(StrEnum):
    """Why an endpoint gets no webhooks: its app says so, it answered 410, or it failed for days."""

    BY_APP = "by_app"
    GONE = "gone"
    FAILING = "failing"


class Scope(StrEnum):
    """What a key of the HTTP API may do: look, upload and erase, or tell that an object is new."""

    READ = "read"
    WRITE = "write"
    EVENTS = "events"


class UploadState(StrEnum):
    """Where an upload over the HTTP API stands: bytes awaited, there, registered as a recording, or ended without one."""

    OPEN = "OPEN"
    RECEIVED = "RECEIVED"
    REGISTERED = "REGISTERED"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"
    ERASED = "ERASED"


class BaselineState(StrEnum):
    """How much is known of what is usual for a person; the words of `trends.BaselineState`, as rows hold them."""

    INSUFFICIENT = "insufficient"
    PERSONAL = "personal"


class TrendState(StrEnum):
    """Where a person's recent days are; the words of `trends.TrendState`, as rows hold them."""

    STABLE = "stable"
    SHIFTED_UP = "shifted_up"
    SHIFTED_DOWN = "shifted_down"
    INSUFFICIENT = "insufficient"


class ExportState(StrEnum):
    """How far an export is that a key of the HTTP API asked for."""

    WAITING = "waiting"
    RUNNING = "running"
    READY = "ready"
    FAILED = "failed"


class SlotState(StrEnum):
    """Whether the nightly run of one slot has been finished."""

    RUNNING = "RUNNING"
    DONE = "DONE"


class TroubleKind(StrEnum):
    """What is wrong with the system as a whole."""

    BROKER = "broker"
    BUNDLE = "bundle"
    CLOCK = "clock"
    DEATHS = "deaths"
    MODEL = "model"
    PEOPLE = "people"
    QUEUE = "queue"
    SCHEDULER = "scheduler"
    SCHEMA = "schema"
    SLOT = "slot"
    STORAGE = "storage"
    WORKER = "worker"


class Reason(StrEnum):
    """Why a job ended without a result, or an attempt without success."""

    ZERO_BYTES = "ZERO_BYTES"
    TOO_LARGE = "TOO_LARGE"
    TOO_LONG = "TOO_LONG"
    NOT_AUDIO = "NOT_AUDIO"
    UNSUPPORTED_CODEC = "UNSUPPORTED_CODEC"
    DECODE_ERROR = "DECODE_ERROR"
    TRUNCATED = "TRUNCATED"
    NON_FINITE = "NON_FINITE"
    BAD_FORMAT = "BAD_FORMAT"
    OBJECT_MISSING = "OBJECT_MISSING"
    OBJECT_CHANGED = "OBJECT_CHANGED"
    OBJECT_TRUNCATED = "OBJECT_TRUNCATED"
    BAD_SCORES = "BAD_SCORES"
    TIME_LIMIT = "TIME_LIMIT"
    MEMORY = "MEMORY"
    WORKER_LOST = "WORKER_LOST"
    INTERNAL = "INTERNAL"
    STORAGE_DENIED = "STORAGE_DENIED"
    STORAGE_UNAVAILABLE = "STORAGE_UNAVAILABLE"
    DATABASE_UNAVAILABLE = "DATABASE_UNAVAILABLE"
    MODEL_UNAVAILABLE = "MODEL_UNAVAILABLE"
    GAVE_UP = "GAVE_UP"
    CANCELLED = "CANCELLED"
    ERASED = "ERASED"


# Why no model can give this recording a result: of its bytes, or because they are gone. Other dead jobs may yet end well.
OF_THE_RECORDING = (
    Reason.ZERO_BYTES,
    Reason.TOO_LARGE,
    Reason.TOO_LONG,
    Reason.NOT_AUDIO,
    Reason.UNSUPPORTED_CODEC,
    Reason.DECODE_ERROR,
    Reason.TRUNCATED,
    Reason.NON_FINITE,
    Reason.BAD_FORMAT,
    Reason.OBJECT_MISSING,
    Reason.OBJECT_CHANGED,
    Reason.ERASED,
)
