"""Do one thing in a process of its own, and see how that ends: a monitor can tell what a recording causes from bad luck.

A lease that ran out does not say why: its process may have been killed by its recording, or with its whole machine, or
by an administrator. The one who waits here dies of all the other causes; what only its child dies of is the child's.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable
from typing import NoReturn


def run_alone(act: Callable[[], None]) -> int:
    """Fork, act in the child, and wait for its end.

    The child never outlives its monitor, and nothing of it comes back but its end. Call it where no other thread holds
    a lock and nothing is open that a fork would share.

    Args:
        act: what to do; an exception that it lets through ends the child with 1.

    Returns:
        0 where `act` returned, another exit status, or the negative number of the signal that killed the child.
    """
    its_end, our_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        _be_alone(act, its_end, our_end)
    try:
        os.close(its_end)
        _, status = os.waitpid(pid, 0)
    except BaseException:  # a time limit, or the worker's stop
        with contextlib.suppress(ProcessLookupError, ChildProcessError):  # it had just ended
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        raise
    finally:
        os.close(our_end)
    return os.waitstatus_to_exitcode(status)


def describe_end(status: int) -> str:
    """Say how a process ended.

    >>> describe_end(-9), describe_end(70)
    ('SIGKILL', 'exit status 70')
    """
    return signal.Signals(-status).name if status < 0 else f"exit status {status}"


def _be_alone(act: Callable[[], None], its_end: int, our_end: int) -> NoReturn:
    status = 1
    try:
        os.close(our_end)
        threading.Thread(target=_end_with_monitor, args=(its_end,), name="monitor", daemon=True).start()
        act()
        status = 0
    finally:
        os._exit(status)  # never back into the caller, who goes on in the other process


def _end_with_monitor(its_end: int) -> None:
    os.read(its_end, 1)  # nobody writes: it returns when the last process that could is gone
    os._exit(1)
