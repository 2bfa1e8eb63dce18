"""Say why a scheduled run failed, in words that a row may keep."""

from __future__ import annotations

from config.settings import SettingsError
from db.errors import DatabaseError
from storage.errors import StorageError


def describe_error(error: Exception) -> str:
    """Say why a run failed without naming anybody: of errors that are not ours, only which one it was.

    >>> describe_error(StorageError("the store does not answer")), describe_error(ValueError("anna.wav"))
    ('StorageError: the store does not answer', 'ValueError')
    """
    is_ours = isinstance(error, StorageError | DatabaseError | SettingsError)
    return f"{type(error).__name__}: {error}" if is_ours else type(error).__name__
