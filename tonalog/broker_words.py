"""What a broker that cannot be reached is said to need; it tries nothing itself."""

from __future__ import annotations

import re

from config.broker_tls import is_tls

_CERTIFICATE_REMEDY = "set TONALOG_BROKER_CERT_FILE and TONALOG_BROKER_KEY_FILE"
# First match wins; what OpenSSL and redis-py say, in their words.
_PLAIN = (
    (r"closed|reset by peer", "the broker hung up ({said}): if it speaks TLS, begin TONALOG_BROKER_URL with rediss://"),
)
_TLS = (
    (
        r"certificate verify failed: (?P<why>[^(]+?)\.? \(",
        "the broker's certificate is not trusted ({why}): set TONALOG_BROKER_CA_FILE to its CA",
    ),
    (
        r"CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE|ALERT_UNKNOWN_CA",
        f"the broker refused our certificate ({{said}}): {_CERTIFICATE_REMEDY}",
    ),
    (
        # Since TLS 1.3 a client hears of a refused certificate after the handshake, if it hears of it at all.
        r"closed|reset by peer|UNEXPECTED_EOF",
        f"the broker hung up ({{said}}): if it wants a certificate of ours, {_CERTIFICATE_REMEDY}",
    ),
    (
        # What a server without TLS does: it waits for the end of what it takes for a command.
        r"(?i)timeout",
        "the broker does not answer ({said}): check its address, and that it speaks TLS there",
    ),
    (
        r"WRONG_VERSION_NUMBER|RECORD_LAYER_FAILURE|PACKET_LENGTH_TOO_LONG",
        "the broker does not speak TLS ({said}): turn it on there, or begin TONALOG_BROKER_URL with redis://",
    ),
)


def explain(error: BaseException, url: str) -> str:
    """Say in one sentence what is wrong with a connection to the broker, and what fixes it.

    Args:
        error: what the broker's client raised.
        url: the broker's; it is not repeated, because it holds the password.

    Examples:
        >>> explain(OSError("Error 1: certificate verify failed: self-signed certificate (_ssl.c:1)"), "rediss://b")
        "the broker's certificate is not trusted (self-signed certificate): set TONALOG_BROKER_CA_FILE to its CA"
        >>> explain(OSError("Connection closed by server."), "redis://b")
        'the broker hung up (Connection closed by server.): if it speaks TLS, begin TONALOG_BROKER_URL with rediss://'
    """
    said = " ".join(str(error).split()) or type(error).__name__
    for pattern, sentence in _TLS if is_tls(url) else _PLAIN:
        found = re.search(pattern, said)
        if found is not None:
            return sentence.format(said=said, **found.groupdict())
    return said
