"""What is said of a broker that cannot be reached names the setting that fixes it, and never the password."""

import pytest

from tonalog.broker_words import explain


@pytest.mark.parametrize(
    ("url", "error", "remedy"),
    [
        # Valkey 9.1 without TLS lets a handshake time out; other servers answer what is no TLS (2026-11-24).
        ("rediss://:canary@broker/0", TimeoutError("Timeout connecting to server"), "that it speaks TLS there"),
        ("rediss://:canary@broker/0", OSError("[SSL: WRONG_VERSION_NUMBER] wrong version"), "begin TONALOG_BROKER_URL"),
        (
            "rediss://:canary@broker/0",
            OSError("[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] x"),
            "TONALOG_BROKER_CERT_FILE",
        ),
        ("redis://:canary@broker/0", OSError("Connection reset by peer"), "rediss://"),
        ("redis://:canary@broker/0", OSError("Connection refused"), "Connection refused"),
        ("redis://:canary@broker/0", OSError(), "OSError"),
    ],
)
def test_the_remedy_is_named(url, error, remedy):
    said = explain(error, url)

    assert remedy in said
    assert "canary" not in said
