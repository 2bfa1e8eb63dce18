"""Each check of the logs passes on sound lines and fails on one that is broken in its way."""

import pytest

from tests.chaos import log_checks
from tests.chaos.feeder import CANARY
from tests.chaos.forged import FORGED_LINE

LIMITS_S = (6.0, 9.0)
SOUND = (
    "2026-11-26 23:35:36,521 INFO worker.tasks nothing to do job_id=263",
    "2026-11-26 23:35:36,521 WARNING celery.worker.request Soft time limit (6s) exceeded for tonalog.score[x]",
    "2026-11-26 23:35:36,521 ERROR celery.worker.request Hard time limit (9.0s) exceeded for tonalog.score[x]",
    "2026-11-26 23:35:36,521 INFO celery.worker.request Discarding revoked task: tonalog.tick[x]",
    "2026-11-26 23:35:36,521 INFO celery.worker.control sync with worker-1@host",
    "2026-11-26 23:35:36,521 CRITICAL celery.worker Unrecoverable error: ConnectionResetError(104)",
    "2026-11-26 23:35:36,521 CRITICAL celery.worker Unrecoverable error: OperationalError('refused')",
    "CRITICAL celery.worker Unrecoverable error: AttributeError(\"'NoneType' object has no attribute 'hostname'\")",
    f"2026-11-26 23:35:36,521 WARNING config.envelopes message dropped: x\\n{FORGED_LINE}",
)
BROKEN = {
    "L1 no name in a log": f"INFO storage opened key={CANARY}-0001/01.wav",
    "L2 no line of a forger": f"{FORGED_LINE} and more",
    "L3 no limit but ours": "WARNING celery.worker.request Soft time limit (0.05s) exceeded for tonalog.score[x]",
    "L4 no command obeyed": "INFO celery.worker.control New rate limit for tasks of type tonalog.score: 1/h.",
    "L5 no message ends a process": "CRITICAL celery.worker Unrecoverable error: TypeError(\"unhashable type: 'dict'\")",
}


def test_sound_lines_break_no_check():
    found = log_checks.check_logs(SOUND, limits_s=LIMITS_S)

    assert found == {name: [] for name in BROKEN}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_line_breaks_its_check_and_no_other(name):
    found = log_checks.check_logs([*SOUND, BROKEN[name]], limits_s=LIMITS_S)

    assert {check: len(sentences) for check, sentences in found.items() if sentences} == {name: 1}


def test_a_forger_who_fills_the_log_is_seen():
    line = "WARNING dropped " + FORGED_LINE * 1_000

    assert len(log_checks.check_no_line_is_forged([line])) == 1


def test_a_pickle_that_was_loaded_is_seen(tmp_path):
    marker = tmp_path / "unpickled"
    assert log_checks.check_nothing_was_unpickled(marker) == []

    marker.touch()

    assert len(log_checks.check_nothing_was_unpickled(marker)) == 1
