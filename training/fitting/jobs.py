"""Carry out independent jobs in processes of their own, and tell how far each is."""

from __future__ import annotations

import multiprocessing
import os
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any

import torch

Count = Callable[[int, int], None]  # How many are done, of how many.
Report = Callable[[str, int, int], None]  # The job's name, how many are done, of how many.
Words = tuple[str, int, int]  # What a report is told.
POLL_S = 0.2
_channel: list[Any] = []  # In a worker process: the one queue to the process that started it.


class WorkersLost(Exception):
    """A worker process ended abruptly, mostly because the machine ran out of memory."""


@dataclass(frozen=True)
class Job:
    """One piece of work.

    Attributes:
        name: for people.
        run: does it; it must be picklable, for instance a partial of a module's function.
    """

    name: str
    run: Callable[[Count], None]


def ignore(_: str, __: int, ___: int) -> None:
    """Take a report and do nothing."""


def run_jobs(jobs: Sequence[Job], *, n_processes: int, report: Report = ignore) -> None:
    """Carry out all jobs; with one process, or for one job, in this one.

    Args:
        jobs: in the order in which they start; none may need another's result.
        n_processes: 1 or more, each with one thread for torch.
        report: called here, in this process, whenever a job tells how far it is.

    Raises:
        WorkersLost: a process ended abruptly.
        Exception: what a job raised; jobs that had not begun are left out.
    """
    if min(n_processes, len(jobs)) <= 1:
        for job in jobs:
            job.run(_name(job.name, report))
        return
    # A fresh interpreter each: a copy of this one would share torch's thread pool, and could hang.
    context = multiprocessing.get_context("spawn")
    reports = context.Queue()
    n_workers = min(n_processes, len(jobs))
    with ProcessPoolExecutor(n_workers, mp_context=context, initializer=_begin, initargs=(reports,)) as pool:
        futures = [pool.submit(_run, job) for job in jobs]
        try:
            while not _is_over(futures):
                _pass_on(reports, report)
            for future in futures:
                if future.done():
                    report(*future.result())  # A job's last report may still be on its way through the queue.
        except BrokenProcessPool as error:
            raise WorkersLost(
                f"a worker process ended abruptly; each needs up to 3 GB of memory, {n_workers} ran: go on with --workers 1"
            ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _name(name: str, report: Report) -> Count:
    return lambda done, total: report(name, done, total)


def _begin(reports: Any) -> None:
    _channel[:] = [reports]
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    torch.set_num_threads(1)


def _end_with_parent() -> None:
    """A killed parent tells nobody, and its workers would go on for minutes and then wait for it for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _run(job: Job) -> Words:
    """Run a job, pass its reports on, and return the last one."""
    last: list[Words] = [(job.name, 1, 1)]

    def tell(name: str, done: int, total: int) -> None:
        last[:] = [(name, done, total)]
        _channel[0].put(last[0])

    job.run(_name(job.name, tell))
    return last[0]


def _is_over(futures: list[Future[Words]]) -> bool:
    failed = any(future.done() and future.exception() is not None for future in futures)
    return failed or all(future.done() for future in futures)


def _pass_on(reports: Any, report: Report) -> None:
    try:
        report(*reports.get(timeout=POLL_S))
        while True:
            report(*reports.get_nowait())
    except queue.Empty:
        return
