"""Run a module with every clock that Python shows set some hours off; only tests start it.

`python -m tests.chaos.skewed HOURS MODULE ARGUMENT...`
"""

from __future__ import annotations

import datetime as dt
import runpy
import sys
import time
from typing import Any


def set_off(hours: float) -> None:
    """Move `time.time`, `time.time_ns` and `datetime.now` of this process; the database's clock stays where it is."""
    shift_s = hours * 3600
    true_time, true_time_ns, true_datetime = time.time, time.time_ns, dt.datetime

    class AnyDatetime(type(true_datetime)):  # type: ignore[misc]
        def __instancecheck__(cls, value: Any) -> bool:
            return isinstance(value, true_datetime)  # drivers make true ones

    class SkewedDatetime(true_datetime, metaclass=AnyDatetime):  # type: ignore[valid-type, misc]
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:
            return true_datetime.now(tz) + dt.timedelta(seconds=shift_s)

    time.time = lambda: true_time() + shift_s
    time.time_ns = lambda: true_time_ns() + int(shift_s * 1e9)
    dt.datetime = SkewedDatetime  # type: ignore[misc]


if __name__ == "__main__":
    set_off(float(sys.argv[1]))
    sys.argv = sys.argv[2:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
