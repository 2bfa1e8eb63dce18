"""What an operator's counts come to, in sentences."""

from __future__ import annotations

from datetime import UTC, timedelta

from db.reasons import JobState
from db.schema import EMOTIONS
from pictures.drift_figures import say_nights
from pictures.operations import LEAST_NOTES, OUTPUT_DAYS, RECENT_WEEKS, OperationsPage, measure_drift

UNFINISHED = (JobState.PENDING, JobState.QUEUED, JobState.RUNNING)
_MS_PER_HOUR = 3_600_000


def list_sentences(page: OperationsPage) -> list[tuple[str, str]]:
    """Return a name and a sentence for each part of the page."""
    drift = [] if page.nights is None else [("Drift", say_nights(page.nights))]
    return [
        ("Work", say_work(page)),
        ("Output", say_output(page)),
        ("Failures", say_failures(page)),
        ("Model", say_coverage(page)),
        ("Scores", say_drift(page)),
        *drift,
    ]


def say_work(page: OperationsPage) -> str:
    """Return how many jobs wait or run, by lane."""
    by_lane: dict[str, int] = {}
    for one in page.lanes:
        if one.state in UNFINISHED:
            by_lane[one.lane.value] = by_lane.get(one.lane.value, 0) + one.n
    if not by_lane:
        return "nothing waits and nothing runs."
    listed = ", ".join(f"{n} in {lane.lower()}" for lane, n in sorted(by_lane.items()))
    return f"{sum(by_lane.values())} jobs are unfinished: {listed}."


def say_output(page: OperationsPage) -> str:
    """Return what was finished lately."""
    n = sum(day.n_notes for day in page.output)
    hours = sum(day.duration_ms for day in page.output) / _MS_PER_HOUR
    return f"{n} notes in the last {OUTPUT_DAYS} days, {hours:.1f} hours of sound."


def say_failures(page: OperationsPage) -> str:
    """Return how many recordings failed, and most often why."""
    active = page.active
    of_active = [one for one in page.failures if active is not None and one.model == active.model]
    if active is None or not of_active:
        return "no live recording has failed."
    n = sum(one.n for one in of_active)
    most = max(of_active, key=lambda one: one.n)
    return f"{n} of {active.n_recordings} live recordings, most often {most.reason} ({most.n})."


def say_coverage(page: OperationsPage) -> str:
    """Return how far the active model is."""
    active = page.active
    if active is None:
        return "none is active."
    ended = active.n_scored + active.n_no_speech
    rest = active.n_pending + active.n_without_job
    result = f"{ended} of {active.n_recordings} live recordings have a result of {active.model}"
    return f"{result}; {rest} are still to come."


def say_drift(page: OperationsPage) -> str:
    """Return which label's scores have moved most."""
    found = find_drift(page)
    if not found:
        return f"too few notes to compare the last {RECENT_WEEKS} weeks with earlier ones: {LEAST_NOTES} are needed of each."
    label = max(found, key=found.__getitem__)
    index = found[label]
    word = "stable" if index < 0.1 else "somewhat moved" if index <= 0.25 else "moved"  # noqa: PLR2004 - see measure_drift
    return (
        f"{word} in the last {RECENT_WEEKS} weeks; the largest stability index is that of {label} ({index:.2f}). Who sends "
        "notes changes it too."
    )


def find_drift(page: OperationsPage) -> dict[str, float]:
    """Return the index of each label that has enough notes."""
    today = page.at.astimezone(UTC).date()
    this_week = today - timedelta(days=today.weekday())
    indices = {label: measure_drift(page.weeks_of(label), this_week=this_week) for label in EMOTIONS}
    return {label: index for label, index in indices.items() if index is not None}
