"""Judge whether the system as a whole is well: what is wrong, and what to do about it. Reads nothing by itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from config.settings import Settings
from db.health import Health
from db.pulses import WorkerPulse
from db.reasons import Lane, TroubleKind

SWEEP_PULSE = "sweep"
PEOPLE_PULSE = "people"
FIRST_START = "scheduler first start"
STOPPED = "stopped"  # the detail of the pulse of a scheduler that was told to end
MIN_DEATHS = 10
DEATHS_RISE = 2
_MISSED = 4  # pulses that may be missing
_MAX_ERROR = 300
_MAX_LISTED = 5


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What is allowed before it is a trouble.

    Attributes:
        worker_s: how old the last pulse of a live worker is at most; and how long jobs may wait where none is.
        scheduler_s: how old the last pulse of a scheduler is at most.
        queue_s: how long a job may wait that is no bulk work.
        people_s: for how long some people may be marked without a moment in which nobody is.
        skew_s: how far a clock may be off the database's.
        needs_scheduler: whether one has to run; else only one that once ran and was not told to end is missed.
    """

    worker_s: float
    scheduler_s: float
    queue_s: float
    people_s: float = 3_600.0
    skew_s: float = 10.0
    needs_scheduler: bool = True

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """Make the limits of an installation: without a broker of its own `tonalog run` does a scheduler's work."""
        return cls(
            worker_s=max(_MISSED * settings.heartbeat_s, 5.0),
            scheduler_s=max(_MISSED * settings.sweep_s, 10.0),
            queue_s=settings.queue_age_s,
            needs_scheduler=not settings.is_embedded_broker,
        )


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """Something that is wrong.

    Attributes:
        kind: what it is.
        about: which one of its kind: a schedule or a reason; empty where there is one of a kind.
        text: what was found and what is allowed; names no people, no objects and no places, so that it can be sent.
        detail: more of it for who is on the machine, such as hosts and messages of servers.
        fix: what to do.
    """

    kind: TroubleKind
    about: str = ""
    text: str
    detail: str = ""
    fix: str

    @property
    def sentence(self) -> str:
        """All of it in one line."""
        return f"{self.text}{f' ({self.detail})' if self.detail else ''}: {self.fix}"


def judge(health: Health, limits: Limits) -> list[Trouble]:
    """List what is wrong, the most urgent first; empty where all is well."""
    judges = (_model, _schema, _scheduler, _workers, _bundles, _slots, _queues, _deaths, _people, _clocks)
    return [trouble for look in judges for trouble in look(health, limits)]


def list_live(health: Health, limits: Limits) -> list[WorkerPulse]:
    """Return the workers whose last pulse is young enough."""
    return [worker for worker in health.workers if worker.age_s <= limits.worker_s]


def say_span(seconds: float) -> str:
    """Write a length of time as people say it.

    >>> [say_span(seconds) for seconds in (5, 119, 600, 7_300, 400_000)]
    ['5 s', '119 s', '10 min', '2 h', '5 days']
    """
    for limit, unit, name in ((120, 1, "s"), (7_200, 60, "min"), (172_800, 3_600, "h")):
        if seconds < limit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds / 86_400:.0f} days"


def _model(health: Health, limits: Limits) -> Iterator[Trouble]:
    if health.model is None and limits.needs_scheduler:  # else the first `tonalog run` makes one active
        yield Trouble(
            kind=TroubleKind.MODEL,
            text="no model is active, so nothing is scored",
            fix="run `tonalog db upgrade` or `tonalog models activate VERSION`",
        )


def _schema(health: Health, limits: Limits) -> Iterator[Trouble]:
    # An older worker may finish its work beside a newer schema; revisions are numbers of four digits.
    newer = [worker for worker in list_live(health, limits) if worker.revision > (health.revision or "")]
    if newer:
        yield Trouble(
            kind=TroubleKind.SCHEMA,
            text=f"live workers ({len(newer)}) need schema {max(worker.revision for worker in newer)}, the database has "
            f"{health.revision}",
            detail=_list_some([worker.name for worker in newer]),
            fix="run `tonalog db upgrade` of their release",
        )


def _scheduler(health: Health, limits: Limits) -> Iterator[Trouble]:
    pulse = health.pulses.get(SWEEP_PULSE)
    if pulse is None:
        is_missing, seen = limits.needs_scheduler, "no scheduler has ever run"
    else:
        is_stopped = pulse.detail == STOPPED
        is_missing = limits.needs_scheduler if is_stopped else pulse.age_s > limits.scheduler_s
        ended = "was told to end" if is_stopped else "was last seen"
        seen = f"the scheduler {ended} {say_span(pulse.age_s)} ago ({say_span(limits.scheduler_s)} are allowed)"
    if is_missing:
        yield Trouble(
            kind=TroubleKind.SCHEDULER,
            text=f"{seen}: nothing is scanned, sent to workers or taken back",
            fix="start `tonalog scheduler`; if its process is there, its log says why it does not get on",
        )


def _workers(health: Health, limits: Limits) -> Iterator[Trouble]:
    served = {lane for worker in list_live(health, limits) for lane in worker.lanes}
    waiting = {
        # Bulk jobs wait by design until they are sent; one that was sent waits for a worker.
        wait.lane: wait.queued_s if wait.lane is Lane.BULK else wait.due_s
        for wait in health.lanes
        if wait.lane not in served and not wait.is_at_work
    }
    idle = {lane: age_s for lane, age_s in waiting.items() if age_s is not None and age_s > limits.worker_s}
    if idle:
        lanes = ", ".join(sorted(lane.value for lane in idle))
        youngest_s = min((worker.age_s for worker in health.workers), default=None)
        seen = "none was seen within a day" if youngest_s is None else f"one was last seen {say_span(youngest_s)} ago"
        yield Trouble(
            kind=TroubleKind.WORKER,
            text=f"jobs wait in {lanes} since {say_span(max(idle.values()))}, and no live worker takes them ({seen})",
            fix="start `tonalog worker` with these lanes; without a broker of its own, `tonalog run PATH` has one",
        )


def _bundles(health: Health, limits: Limits) -> Iterator[Trouble]:
    wrong = []
    for worker in list_live(health, limits):
        if health.model is None or worker.bundle.model != health.model:
            continue  # its last look was before the switch
        if worker.bundle.error is not None:
            wrong.append(f"{worker.name}: {worker.bundle.error[:_MAX_ERROR]}")
        elif health.bundle_sha256 not in {None, worker.bundle.sha256}:
            wrong.append(f"{worker.name}: it has another bundle ({(worker.bundle.sha256 or 'none')[:12]})")
    if wrong:
        yield Trouble(
            kind=TroubleKind.BUNDLE,
            text=f"live workers ({len(wrong)}) cannot score with {health.model}",
            detail=_list_some(wrong),
            fix="put the registered bundle into TONALOG_MODELS_DIR of these workers, or activate a model that they have",
        )


def _slots(health: Health, _limits: Limits) -> Iterator[Trouble]:
    for failed in {slot.name: slot for slot in health.failed_slots}.values():  # the newest of each schedule
        error, _, detail = failed.error.partition(": ")
        often = "once" if failed.n_failures == 1 else f"{failed.n_failures} times"
        yield Trouble(
            kind=TroubleKind.SLOT,
            about=failed.name,
            text=f"the {failed.name} run of {failed.slot:%Y-%m-%d %H:%M} UTC failed {often}, last at "
            f"{failed.failed_at:%H:%M:%S} by {error}",
            detail=detail,
            fix="remove the cause; the scheduler tries again by itself",
        )


def _queues(health: Health, limits: Limits) -> Iterator[Trouble]:
    late = {
        wait.lane.value: wait.due_s
        for wait in health.lanes
        if wait.lane is not Lane.BULK and wait.due_s is not None and wait.due_s > limits.queue_s
    }
    if late:
        said = ", ".join(f"{lane} since {say_span(age_s)}" for lane, age_s in sorted(late.items()))
        yield Trouble(
            kind=TroubleKind.QUEUE,
            text=f"jobs wait in {said}; {say_span(limits.queue_s)} are allowed",
            fix="start more workers, or set TONALOG_QUEUE_AGE_S where so long a night is expected",
        )


def _deaths(health: Health, _limits: Limits) -> Iterator[Trouble]:
    for deaths in health.deaths:
        if deaths.n_last_day >= MIN_DEATHS and deaths.n_last_day > DEATHS_RISE * deaths.n_worst_day:
            yield Trouble(
                kind=TroubleKind.DEATHS,
                about=deaths.reason,
                text=f"{deaths.n_last_day} jobs died of {deaths.reason} in the last 24 hours; the worst of the seven days "
                f"before had {deaths.n_worst_day}",
                fix=f"look at `tonalog dead --reason {deaths.reason}`, remove the cause, then `tonalog retry --reason "
                f"{deaths.reason}`",
            )


def _people(health: Health, limits: Limits) -> Iterator[Trouble]:
    since = health.pulses.get(PEOPLE_PULSE) or health.pulses.get(FIRST_START)
    if health.n_marked and since is not None and since.age_s > limits.people_s:
        yield Trouble(
            kind=TroubleKind.PEOPLE,
            text=f"days and trends of people ({health.n_marked}) are not up to date, and for {say_span(since.age_s)} there "
            f"was no moment in which all were ({say_span(limits.people_s)} are allowed)",
            fix="the scheduler's log says `person not refreshed` with the reason; after an import it needs time only",
        )


def _clocks(health: Health, limits: Limits) -> Iterator[Trouble]:
    wrong = [
        f"{worker.name} by {say_span(abs(worker.skew_s))} {'ahead' if worker.skew_s > 0 else 'behind'}"
        for worker in list_live(health, limits)
        if abs(worker.skew_s) > limits.skew_s
    ]
    if wrong:
        yield clock_trouble(
            f"hosts of live workers ({len(wrong)}) are off the database", limits, detail=_list_some(wrong)
        )


def clock_trouble(text: str, limits: Limits, *, detail: str = "") -> Trouble:
    """Say that some clocks are wrong."""
    return Trouble(
        kind=TroubleKind.CLOCK,
        text=f"clocks differ: {text}; {say_span(limits.skew_s)} are allowed",
        detail=detail,
        fix="let these hosts keep time by NTP; S3 refuses requests that are 15 minutes off",
    )


def _list_some(names: list[str]) -> str:
    left = len(names) - _MAX_LISTED
    return "; ".join(names[:_MAX_LISTED]) + (f"; and {left} more" if left > 0 else "")
