"""What a process logs at DEBUG: our own lines, and nothing of libraries that write down what they are given."""

import logging

import pytest
from sqlalchemy import text

from config import logs
from db.engine import make_engine


@pytest.fixture(autouse=True)
def levels():
    """Put the levels back as they were."""
    loggers = [logging.getLogger(name) for name in (None, "botocore", "urllib3", "numba", "sqlalchemy")]
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


@pytest.mark.parametrize("level", ["DEBUG", "INFO"])
def test_no_statement_is_logged_because_its_parameters_are_keys_and_names(tmp_path, caplog, level):
    logs.configure(level)
    engine = make_engine(f"sqlite:///{tmp_path / 'x.db'}")

    with engine.connect() as connection:
        connection.execute(text("SELECT :name"), {"name": "canary"})

    assert "canary" not in caplog.text
