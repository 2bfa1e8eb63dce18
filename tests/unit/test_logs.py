"""What a process logs at DEBUG: our own lines, and nothing of libraries that write down what they are given."""

import logging

import pytest

from config import logs


@pytest.fixture(autouse=True)
def levels():
    """Put the levels back as they were."""
    loggers = [logging.getLogger(name) for name in (None, "botocore", "urllib3", "numba")]
    before = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, before, strict=True):
        logger.setLevel(level)


@pytest.mark.parametrize(("level", "library_level"), [("DEBUG", logging.INFO), ("WARNING", logging.WARNING)])
def test_libraries_that_would_write_keys_down_stay_at_info(level, library_level):
    logs.configure(level)

    assert logging.getLogger("worker.tasks").getEffectiveLevel() == logging.getLevelName(level)
    for name in ("botocore.endpoint", "urllib3.connectionpool", "numba.core"):
        assert logging.getLogger(name).getEffectiveLevel() == library_level
