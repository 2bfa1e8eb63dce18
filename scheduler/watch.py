"""Watch over the system from a thread of the scheduler: alerts when a trouble begins and ends, and what a night came to."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from functools import cached_property
from typing import Any

from celery import Celery
from kombu.exceptions import OperationalError

from config.plain_text import printable
from config.queues import SCHEDULER_QUEUE
from config.settings import Settings
from db import Engine, alerts, mails, nights, pulses, slots
from db.alerts import AlertChange, NewAlert
from db.drift import read_drift
from db.engine import make_engine
from db.mails import NewMail
from db.nights import Night, NightCount, NightOutcome
from db.reasons import JobState, TroubleKind
from scheduler.broker import count_waiting
from scheduler.drift_words import say_drift
from scheduler.mail import MailNotSent, read_route, send
from scheduler.probes import StorageProbe, look_at_ledger
from scheduler.troubles import Trouble

_log = logging.getLogger(__name__)
_MAIL_LEASE_S = 120.0
_KEEP = timedelta(days=90)  # of alerts and mails that are over, and of failures
_KEEP_NIGHTS = timedelta(days=400)
_MS_AN_HOUR = 3_600_000


class Watch:
    """What is done every `TONALOG_ALERT_EVERY_S`; several schedulers may do it at once."""

    def __init__(self, settings: Settings, app: Celery) -> None:
        self._settings = settings
        self._app = app
        self._route = read_route(settings)
        self._storage = StorageProbe(settings)

    @cached_property
    def _engine(self) -> Engine:
        return make_engine(self._settings.database)

    def step(self) -> None:
        """Look once, tell what has changed, and send mail that is due."""
        self.alert()
        self.report_nights()
        self.send_mail()
        self.forget()

    def alert(self) -> AlertChange:
        """Open and close alerts by what is wrong now."""
        settings = self._settings
        look = look_at_ledger(self._engine, settings)
        found = _distinct([*look.troubles, *self._storage.look(), *_probe_broker(self._app)])
        fixes = {(trouble.kind, trouble.about): trouble.fix for trouble in found}

        def compose(changed: AlertChange) -> NewMail | None:
            return None if self._route is None else write_alert_mail(changed, fixes)

        new = [NewAlert(kind=trouble.kind, about=trouble.about, text=trouble.text) for trouble in found]
        changed = alerts.change(self._engine, new, tenant=settings.alert_tenant, compose=compose)
        for word, of_word in (("opened", changed.opened), ("closed", changed.closed)):
            for alert in of_word:
                _log.warning("alert", extra={"change": word, "kind": alert.kind.value, "about": alert.about})
        return changed

    def report_nights(self) -> None:
        """Tell of every night whose jobs have ended."""
        for night in nights.list_over(self._engine):
            outcome = nights.read_outcome(self._engine, night)
            summary = summarise(outcome, outcome.counts) | self._find_drift(night)
            mail = None if self._route is None else write_night_mail(summary)

            def of_tenant(tenant: str, outcome: NightOutcome = outcome) -> Mapping[str, Any]:
                return summarise(outcome, [count for count in outcome.counts if count.tenant == tenant])

            if nights.report(self._engine, night, summary, of_tenant=of_tenant, mail=mail):
                _log.info("night finished", extra=summary)

    def _find_drift(self, night: Night) -> dict[str, str]:
        measured = [
            drift for drift in read_drift(self._engine) if drift.is_active and drift.measured_at >= night.began_at
        ]
        return {"drift": say_drift(measured[0])} if measured else {}

    def send_mail(self) -> None:
        """Send what is due; the first mail that the server does not take ends it for this time."""
        while self._route is not None and (mail := mails.take(self._engine, lease_s=_MAIL_LEASE_S)) is not None:
            try:
                send(self._route, mail)
            except MailNotSent as error:
                is_left = mails.end(self._engine, mail, error=str(error))
                _log.warning("mail not sent", extra={"mail_id": mail.id, "error": str(error), "is_left": is_left})
                return
            mails.end(self._engine, mail)

    def forget(self) -> None:
        """Delete what is kept no longer."""
        pulses.forget_dead(self._engine)
        slots.forget_failures(self._engine, keep=_KEEP)
        alerts.expire(self._engine, keep=_KEEP)
        mails.expire(self._engine, keep=_KEEP)
        nights.expire(self._engine, keep=_KEEP_NIGHTS)


class WatchLoop:
    """A thread that calls `step` every so often, whatever the scheduler's own threads are at."""

    def __init__(self, step: Callable[[], None], *, every_s: float) -> None:
        self._step = step
        self._every_s = every_s
        self._is_over = threading.Event()

    def start(self) -> None:
        """Begin after one interval, so that a scheduler that has just started has left its pulse; go on until `stop`."""
        threading.Thread(target=self._run, name="watch", daemon=True).start()

    def stop(self) -> None:
        """Look no more."""
        self._is_over.set()

    def _run(self) -> None:
        while not self._is_over.wait(self._every_s):
            try:
                self._step()
            except Exception as error:  # noqa: BLE001 - the thread goes on, whatever one look met
                _log.warning("could not look for troubles", extra={"error": type(error).__name__})


def summarise(outcome: NightOutcome, counts: Iterable[NightCount]) -> dict[str, Any]:
    """Say what came of a night, of one tenant's counts or of all, as webhooks tell it and `status --json` shows it."""
    counts = list(counts)
    of_state: Counter[JobState] = Counter()
    reasons: Counter[str] = Counter()
    for count in counts:
        of_state[count.state] += count.n
        if count.state is JobState.DEAD:
            reasons[count.reason or "UNKNOWN"] += count.n
    n_ended = sum(of_state[state] for state in (JobState.DONE, JobState.DEAD, JobState.CANCELLED))
    night = outcome.night
    return {
        "slot": night.slot.isoformat().replace("+00:00", "Z"),
        "n_recordings": of_state.total(),
        "n_done": of_state[JobState.DONE],
        "n_dead": of_state[JobState.DEAD],
        "n_cancelled": of_state[JobState.CANCELLED],
        "n_waiting": of_state.total() - n_ended,
        "reasons": dict(sorted(reasons.items())),
        "audio_hours": round(sum(count.audio_ms for count in counts) / _MS_AN_HOUR, 3),
        "duration_s": round((outcome.ended_at - night.began_at).total_seconds(), 1),
    }


def write_night_mail(summary: Mapping[str, Any]) -> NewMail:
    """Write the mail of a night."""
    by_state = ", ".join(f"{summary[f'n_{state}']} {state}" for state in ("done", "dead", "cancelled", "waiting"))
    lines = [
        f"Recordings: {summary['n_recordings']} ({by_state})",
        *(f"  dead of {reason}: {n}" for reason, n in summary["reasons"].items()),
        f"Audio: {summary['audio_hours']:.2f} hours",
        f"Duration: {summary['duration_s'] / 60:.0f} minutes",
        *([f"Drift: {summary['drift']}"] if "drift" in summary else []),
    ]
    subject = f"[Tonalog] Night of {summary['slot'][:10]}: {summary['n_done']} done, {summary['n_dead']} dead"
    return NewMail(headline=subject, body="\n".join(lines) + "\n")


def write_alert_mail(changed: AlertChange, fixes: Mapping[tuple[Any, str], str]) -> NewMail:
    """Write one mail of all that began and ended with a look.

    Args:
        changed: what did.
        fixes: what to do, by kind and what it is about.
    """
    lines = []
    for alert in changed.opened:
        lines += [f"Since {alert.opened_at:%Y-%m-%d %H:%M} UTC: {printable(alert.text)}"]
        lines += [f"  To do: {printable(fixes[alert.kind, alert.about])}"]
    for alert in changed.closed:
        lines += [f"Over, after it began at {alert.opened_at:%Y-%m-%d %H:%M} UTC: {printable(alert.text)}"]
    lines += ["", "`tonalog doctor` says more."]
    parts = [
        f"{word}: {', '.join(sorted({alert.kind.value for alert in of_word}))}"
        for word, of_word in (("trouble", changed.opened), ("over", changed.closed))
        if of_word
    ]
    return NewMail(headline=f"[Tonalog] {'; '.join(parts)}", body="\n".join(lines) + "\n")


def _probe_broker(app: Celery) -> list[Trouble]:
    """Ask the broker for the length of a queue."""
    try:
        count_waiting(app, [SCHEDULER_QUEUE])
    except (OperationalError, OSError) as error:
        return [
            Trouble(
                kind=TroubleKind.BROKER,
                text=f"the broker does not answer ({type(error).__name__}), so no job reaches a worker",
                fix="start it again, or correct TONALOG_BROKER_URL; jobs wait in the database meanwhile and none is lost",
            )
        ]
    return []


def _distinct(troubles: Iterable[Trouble]) -> list[Trouble]:
    """Keep the first trouble of a kind about the same."""
    return list({(trouble.kind, trouble.about): trouble for trouble in reversed(list(troubles))}.values())[::-1]
