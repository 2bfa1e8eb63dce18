"""What must hold of the ledger after any fault; pure functions over rows, so that each can be shown to fail.

Every check returns one sentence for each row that breaks it. The numbers are those of docs/reliability.md.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping

from tests.chaos.rows import ABSENT, TERMINAL, Attempt, History, Result

MAX_LOSSES = 20
MAX_FAILURES = 3
COUNTED_REASONS = frozenset({"MEMORY", "TIME_LIMIT", "INTERNAL", "OBJECT_TRUNCATED", "WORKER_LOST"})
TOLERANCE = 1e-6


def check_one_job_for_each_registered_version(history: History) -> list[str]:
    """I1: nothing that was put is missing, and no version has two jobs for a model."""
    jobs_of = Counter((job.recording_id, job.model_id) for job in history.jobs)
    broken = [f"recording {pair[0]} has {n} jobs for model {pair[1]}" for pair, n in jobs_of.items() if n > 1]
    with_job = {job.recording_id for job in history.jobs}
    live = [recording for recording in history.recordings if recording.state == "LIVE"]
    broken += [f"recording {recording.id} is live and has no job" for recording in live if recording.id not in with_job]
    known = {(recording.key, recording.version_tag) for recording in history.recordings}
    for identity, expected in history.expected.items():
        if ABSENT not in expected.ends and identity not in known:
            broken.append(f"{identity[0]} was never registered")
    return broken


def check_one_result_for_each_done_job(history: History) -> list[str]:
    """I2: results and DONE jobs match one to one, and segments belong to results."""
    n_results = Counter((result.recording_id, result.model_id) for result in history.results)
    done = {(job.recording_id, job.model_id) for job in history.jobs if job.state == "DONE"}
    broken = [f"recording {pair[0]} has {n} results" for pair, n in n_results.items() if n > 1]
    broken += [f"recording {pair[0]} is DONE without a result" for pair in sorted(done - set(n_results))]
    broken += [f"recording {pair[0]} has a result and is not DONE" for pair in sorted(set(n_results) - done)]
    n_segments = Counter(history.segments)
    for result in history.results:
        pair = (result.recording_id, result.model_id)
        if n_segments.pop(pair, 0) != result.n_windows:
            broken.append(f"recording {pair[0]} has not the {result.n_windows} segments of its result")
    return broken + [f"recording {pair[0]} has segments without a result" for pair in n_segments]


def check_results_are_their_owners(history: History) -> list[str]:
    """I3: the attempt that wrote a result held the job, is the last one and the only one that is DONE."""
    jobs = {(job.recording_id, job.model_id): job for job in history.jobs}
    attempts = {attempt.token: attempt for attempt in history.attempts}
    broken = []
    for result in history.results:
        job, attempt = jobs.get((result.recording_id, result.model_id)), attempts.get(result.token)
        if job is None or job.lease_token != result.token:
            broken.append(f"the result of recording {result.recording_id} has another token than its job")
        elif attempt is None or (attempt.job_id, attempt.n, attempt.outcome) != (job.id, job.attempts, "DONE"):
            broken.append(f"the result of recording {result.recording_id} is not of its job's last attempt")
    n_done = Counter(attempt.job_id for attempt in history.attempts if attempt.outcome == "DONE")
    erased = {job.id for job in history.jobs if job.reason == "ERASED"}
    for job_id, n in n_done.items():
        if n > 1 and job_id not in erased:
            broken.append(f"job {job_id} has {n} attempts that say DONE")
    return broken


def check_everything_has_ended(history: History) -> list[str]:
    """I4: no job waits or runs, and no attempt is open."""
    broken = [f"job {job.id} is still {job.state}" for job in history.jobs if job.state not in TERMINAL]
    broken += [f"attempt {a.n} of job {a.job_id} is open" for a in history.attempts if a.outcome is None]
    return broken


def check_ends_are_allowed(history: History) -> list[str]:
    """I5: each job ended as its recording's kind allows; an innocent one is DONE."""
    identity = {recording.id: (recording.key, recording.version_tag) for recording in history.recordings}
    broken = []
    for job in history.jobs:
        if job.recording_id in history.erased:
            allowed = frozenset({"CANCELLED:ERASED"})
        else:
            expected = history.expected.get(identity[job.recording_id])
            allowed = frozenset() if expected is None else expected.ends
        if job.state in TERMINAL and job.end not in allowed:
            said = " or ".join(sorted(allowed)) or "never registered"
            broken.append(f"job {job.id} of {identity[job.recording_id][0]} ended {job.end}, allowed was {said}")
    return broken


def check_attempts_are_bounded(history: History) -> list[str]:
    """I6: at most 20 losses and 3 failures a job, and the counters agree with the attempts."""
    of_job: dict[int, list[Attempt]] = defaultdict(list)
    for attempt in history.attempts:
        of_job[attempt.job_id].append(attempt)
    broken = []
    for job in history.jobs:
        tried = of_job.pop(job.id, [])
        n_lost = sum(attempt.outcome == "LOST" for attempt in tried)
        n_failed = sum(a.outcome in ("RETRY", "DEAD") and a.reason in COUNTED_REASONS for a in tried)
        if sorted(attempt.n for attempt in tried) != list(range(1, job.attempts + 1)):
            broken.append(f"job {job.id} says {job.attempts} attempts, its history says otherwise")
        if n_lost > MAX_LOSSES or n_failed > MAX_FAILURES:
            broken.append(f"job {job.id} was lost {n_lost} times and failed {n_failed} times")
        if n_lost != job.lost_count:
            broken.append(f"job {job.id} counts {job.lost_count} losses, its history {n_lost}")
    return broken + [f"there are attempts of job {job_id}, which is unknown" for job_id in of_job]


def check_erased_stays_erased(history: History) -> list[str]:
    """I7: of what was erased there is no name, no result and no new registration."""
    broken = []
    for recording in history.recordings:
        if recording.id in history.erased and (recording.state != "ERASED" or recording.key):
            broken.append(f"recording {recording.id} was erased and is {recording.state}")
        if recording.key in history.erased_keys:
            broken.append(f"an erased key is back as recording {recording.id}")
    written = [result.recording_id for result in history.results] + [pair[0] for pair in history.segments]
    broken += [f"erased recording {i} has results or segments" for i in sorted({*written} & history.erased)]
    return broken


def check_scores_are_those_of_an_undisturbed_run(history: History) -> list[str]:
    """I8: scores and the hash of the audio are what the same bytes give without faults."""
    identity = {recording.id: (recording.key, recording.version_tag) for recording in history.recordings}
    broken = []
    for result in history.results:
        key, version_tag = identity[result.recording_id]
        expected = history.expected.get((key, version_tag))
        if result.audio_sha256 != version_tag:
            broken.append(f"the result of {key} is of other bytes than those registered")
        if expected is not None and expected.scores is not None and _differ(result, expected.scores):
            broken.append(f"the scores of {key} are not those of an undisturbed run")
    return broken


CHECKS: Mapping[str, Callable[[History], list[str]]] = {
    "I1 one job for each registered version": check_one_job_for_each_registered_version,
    "I2 one result for each DONE job": check_one_result_for_each_done_job,
    "I3 results are their owner's": check_results_are_their_owners,
    "I4 everything has ended": check_everything_has_ended,
    "I5 ends are allowed": check_ends_are_allowed,
    "I6 attempts are bounded": check_attempts_are_bounded,
    "I7 erased stays erased": check_erased_stays_erased,
    "I8 scores are those of an undisturbed run": check_scores_are_those_of_an_undisturbed_run,
}


def count_lost(history: History) -> int:
    """Count innocent versions that have neither a result nor an end, or that nobody knows."""
    ends = _ends(history)
    innocent = [identity for identity, expected in history.expected.items() if expected.is_innocent]
    return sum(ends.get(identity, ABSENT).partition(":")[0] not in TERMINAL for identity in innocent)


def count_innocent_dead(history: History) -> int:
    """Count innocent versions that ended without a result."""
    ends = _ends(history)
    innocent = [identity for identity, expected in history.expected.items() if expected.is_innocent]
    return sum(ends.get(identity, "").startswith(("DEAD", "CANCELLED")) for identity in innocent)


def count_duplicates(history: History) -> int:
    """Count results beyond the first of a recording and model."""
    pairs = [(result.recording_id, result.model_id) for result in history.results]
    return len(pairs) - len(set(pairs))


def _ends(history: History) -> dict[tuple[str, str], str]:
    identity = {recording.id: (recording.key, recording.version_tag) for recording in history.recordings}
    return {identity[job.recording_id]: job.end for job in history.jobs if job.recording_id in identity}


def _differ(result: Result, scores: Mapping[str, float]) -> bool:
    return any(
        value is None or not math.isclose(value, scores[name], abs_tol=TOLERANCE)
        for name, value in result.scores.items()
    )
