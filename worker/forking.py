"""Fork pool processes that share their parent's memory for long and keep little of their own."""

from __future__ import annotations

import ctypes
import gc
import importlib
import os
import sys
from contextlib import suppress

from celery import platforms

from config.settings import Settings
from storage.errors import StorageError

# numpy loads them with the first spectrum and the first quantile, and each child would have its own.
_LATE = ("numpy.fft", "numpy.ma", "encodings.ascii")
_PR_SET_PDEATHSIG = 1  # of sys/prctl.h


def prepare_parent(settings: Settings) -> None:
    """Load what children would load, and let no child's garbage collector write into what it shares.

    Args:
        settings: say whether children will read from S3.
    """
    for name in _LATE:
        importlib.import_module(name)
    if settings.storage_url is not None and settings.storage_url.lower().startswith("s3://"):
        from storage.s3_client import preload  # noqa: PLC0415 - boto3

        with suppress(StorageError):  # a job that meets it says so
            preload()
    os.register_at_fork(before=gc.freeze)
    if sys.platform == "linux":
        # billiard compiles a C declaration for that in each child: 0.1 s and 8 MB.
        platforms._set_pdeathsig = _end_with_parent  # noqa: SLF001 - a test sees that children still end with their parent


def _end_with_parent(signal_number: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal_number)) != 0:
        raise OSError(ctypes.get_errno(), "prctl refused to end this process with its parent")
