"""The errors that the command line answers with one sentence instead of a traceback."""

from __future__ import annotations

import sys

from config.settings import SettingsError

EXIT_TROUBLE = 2  # of `doctor` and `status`: they did what they were asked for, and found something wrong
# Module and class names, so that `tonalog score` does not import the database to name its errors.
_KNOWN = (
    ("db.errors", "DatabaseError"),
    ("storage.errors", "StorageError"),
    ("exports.errors", "ExportError"),
    ("worker.scoring.bundle", "BundleError"),
    ("worker.scoring.scorer", "ScoringError"),
    ("worker.audio.errors", "AudioError"),
    ("scheduler.service", "SchedulerError"),
    ("training.fitting.plan", "PlanMismatch"),
    ("training.fitting.checkpoint", "CheckpointMismatch"),
    ("training.protocols.leaks", "LeakError"),
    ("training.protocols.roles", "RoleError"),
    ("training.bundle.parity", "ParityError"),
    ("training.fitting.jobs", "WorkersLost"),
    ("training.bundle.publish", "LimitExceeded"),
    ("training.studies.folds", "RunsIncomplete"),
)


class TonalogError(Exception):
    """What the user asked for cannot be done; the message says what can."""


def known_errors() -> tuple[type[BaseException], ...]:
    """Return the known error classes of the modules that have been imported so far."""
    loaded = [getattr(sys.modules[name], cls) for name, cls in _KNOWN if name in sys.modules]
    return (TonalogError, SettingsError, *loaded)
