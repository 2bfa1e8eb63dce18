"""A server that is not installed skips a test with a reason, or fails it where all must run."""

import pytest
from servers import MissingServerError, Server
from servers.running import REQUIRE_VARIABLE, run_server


def make_missing() -> Server:
    raise MissingServerError("no such server: pip install it")


def test_missing_server_skips_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(REQUIRE_VARIABLE, raising=False)

    with pytest.raises(pytest.skip.Exception, match="pip install it"):
        next(run_server(make_missing))


def test_missing_server_fails_where_servers_are_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(REQUIRE_VARIABLE, "1")

    with pytest.raises(pytest.fail.Exception, match="forbids skipping"):
        next(run_server(make_missing))
