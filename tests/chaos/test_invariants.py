"""Each check of the chaos runs passes on a sound history and fails on one that is broken in its way."""

from dataclasses import replace

import pytest

from tests.chaos import invariants
from tests.chaos.invariants import CHECKS
from tests.chaos.rows import ABSENT, Attempt, Expected, History, Job, Recording, Result

SCORES = {"anger": 0.1, "happiness": 0.2, "neutral": 0.3, "sadness": 0.4}
DONE, POISONED, ERASED = 1, 2, 3


def a_history():
    """A sound recording that was lost once and then scored, a poisoned one that died, and one that was erased."""
    return History(
        recordings=(
            Recording(id=DONE, key="a.wav", version_tag="tag-a", state="LIVE"),
            Recording(id=POISONED, key="b.wav", version_tag="tag-b", state="LIVE"),
            Recording(id=ERASED, key="", version_tag="erased-3", state="ERASED"),
        ),
        jobs=(
            a_job(DONE, "DONE", attempts=2, lost_count=1, lease_token="token-1-2"),
            a_job(POISONED, "DEAD", attempts=6, lost_count=3, reason="WORKER_LOST"),
            a_job(ERASED, "CANCELLED", attempts=1, reason="ERASED"),
        ),
        attempts=(
            an_attempt(DONE, 1, "LOST"),
            an_attempt(DONE, 2, "DONE"),
            *(an_attempt(POISONED, n, "LOST", "WORKER_LOST") for n in range(1, 4)),
            *(an_attempt(POISONED, n, "RETRY", "WORKER_LOST") for n in range(4, 6)),
            an_attempt(POISONED, 6, "DEAD", "WORKER_LOST"),
            an_attempt(ERASED, 1, "ERASED"),
        ),
        results=(a_result(DONE, "token-1-2"),),
        segments=((DONE, 1),),
        expected={
            ("a.wav", "tag-a"): Expected(ends=frozenset({"DONE"}), is_innocent=True, scores=SCORES),
            ("b.wav", "tag-b"): Expected(ends=frozenset({"DEAD:WORKER_LOST"})),
            ("c.wav", "tag-c"): Expected(ends=frozenset({"DONE", ABSENT})),
        },
        erased=frozenset({ERASED}),
        erased_keys=frozenset({"erased.wav"}),
    )


def a_job(number, state, **others):
    values = {"lost_count": 0, "lease_token": None, "reason": None, **others}
    return Job(id=number, recording_id=number, model_id=1, state=state, **values)


def an_attempt(job_id, n, outcome, reason=None):
    return Attempt(job_id=job_id, n=n, token=f"token-{job_id}-{n}", outcome=outcome, reason=reason)


def a_result(recording_id, token, **others):
    values = {"n_windows": 1, "audio_sha256": "tag-a", "scores": SCORES, **others}
    return Result(recording_id=recording_id, model_id=1, token=token, **values)


def with_job(whole, number, **changes):
    """Change one job of a history."""
    return replace(whole, jobs=tuple(replace(job, **changes) if job.id == number else job for job in whole.jobs))


def with_recording(whole, number, **changes):
    changed = (replace(one, **changes) if one.id == number else one for one in whole.recordings)
    return replace(whole, recordings=tuple(changed))


def without_attempt(whole, job_id, n):
    return replace(whole, attempts=tuple(a for a in whole.attempts if (a.job_id, a.n) != (job_id, n)))


def plus(whole, **rows):
    """Add rows to a history."""
    return replace(whole, **{name: (*getattr(whole, name), *added) for name, added in rows.items()})


def never_registered(whole):
    return replace(whole, expected={**whole.expected, ("d.wav", "tag-d"): Expected(ends=frozenset({"DONE"}))})


def wrong_scores(whole):
    return replace(whole, results=(a_result(DONE, "token-1-2", scores={**SCORES, "anger": 0.1001}),))


BROKEN = {
    "a version that was put and never registered": ("I1", never_registered),
    "a live version without a job": ("I1", lambda h: replace(h, jobs=h.jobs[1:])),
    "two jobs of one version": ("I1", lambda h: plus(h, jobs=[replace(h.jobs[0], id=9)])),
    "a DONE job without a result": ("I2", lambda h: replace(h, results=())),
    "two results of one version": ("I2", lambda h: plus(h, results=h.results)),
    "a result of a dead job": ("I2", lambda h: plus(h, results=[a_result(POISONED, "token-2-6")])),
    "a result without its segments": ("I2", lambda h: replace(h, segments=())),
    "segments without a result": ("I2", lambda h: plus(h, segments=[(POISONED, 1)])),
    "a result of a token that the job has not": ("I3", lambda h: with_job(h, DONE, lease_token="token-1-1")),
    "a result of an attempt that was lost": ("I3", lambda h: replace(h, results=(a_result(DONE, "token-1-1"),))),
    "a result whose attempt nobody knows": ("I3", lambda h: without_attempt(h, DONE, 2)),
    "two attempts that say DONE": ("I3", lambda h: plus(h, attempts=[an_attempt(DONE, 3, "DONE")])),
    "a job that still waits": ("I4", lambda h: with_job(h, DONE, state="QUEUED")),
    "an attempt that is open": ("I4", lambda h: plus(h, attempts=[an_attempt(DONE, 3, None)])),
    "an innocent job that died": ("I5", lambda h: with_job(h, DONE, state="DEAD", reason="WORKER_LOST")),
    "a poisoned job that was scored": ("I5", lambda h: with_job(h, POISONED, state="DONE", reason=None)),
    "a job of a version that nobody put": ("I5", lambda h: with_recording(h, DONE, version_tag="other")),
    "a loss too many": (
        "I6",
        lambda h: plus(
            with_job(h, DONE, attempts=22, lost_count=21), attempts=[an_attempt(DONE, n, "LOST") for n in range(3, 23)]
        ),
    ),
    "a death too many under a monitor": (
        "I6",
        lambda h: plus(with_job(h, POISONED, attempts=7), attempts=[an_attempt(POISONED, 7, "DEAD", "WORKER_LOST")]),
    ),
    "a fourth failure": (
        "I6",
        lambda h: plus(
            with_job(h, DONE, attempts=6), attempts=[an_attempt(DONE, n, "RETRY", "MEMORY") for n in range(3, 7)]
        ),
    ),
    "a claim without an attempt": ("I6", lambda h: with_job(h, DONE, attempts=3)),
    "a loss that was not counted": ("I6", lambda h: with_job(h, DONE, lost_count=0)),
    "an erased recording that kept its key": ("I7", lambda h: with_recording(h, ERASED, key="erased.wav")),
    "an erased key that came back": (
        "I7",
        lambda h: plus(h, recordings=[Recording(id=9, key="erased.wav", version_tag="tag", state="LIVE")]),
    ),
    "an erased recording with a result": ("I7", lambda h: plus(h, results=[a_result(ERASED, "token-3-1")])),
    "scores of another recording": ("I8", wrong_scores),
    "scores that are missing": ("I8", lambda h: replace(h, results=(a_result(DONE, "x", scores={"anger": None}),))),
    "a result of other bytes": ("I8", lambda h: replace(h, results=(a_result(DONE, "x", audio_sha256="tag-b"),))),
}


def failing(whole):
    return {name.split()[0] for name, check in CHECKS.items() if check(whole)}


def test_a_sound_history_passes_every_check():
    assert failing(a_history()) == set()


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_history_is_noticed_by_the_check_of_its_kind(what):
    check, spoil = BROKEN[what]

    assert check in failing(spoil(a_history()))


def test_every_check_is_shown_to_fail():
    assert {check for check, _ in BROKEN.values()} == {name.split()[0] for name in CHECKS}


def test_an_innocent_recording_counts_as_lost_until_it_has_an_end():
    whole = a_history()

    assert invariants.count_lost(whole) == 0
    assert invariants.count_lost(with_job(whole, DONE, state="RUNNING")) == 1
    assert invariants.count_lost(replace(whole, recordings=whole.recordings[1:], jobs=whole.jobs[1:])) == 1


def test_an_innocent_recording_that_died_and_a_second_result_are_counted():
    whole = a_history()

    assert (invariants.count_innocent_dead(whole), invariants.count_duplicates(whole)) == (0, 0)
    assert invariants.count_innocent_dead(with_job(whole, DONE, state="DEAD", reason="INTERNAL")) == 1
    assert invariants.count_duplicates(plus(whole, results=whole.results)) == 1
