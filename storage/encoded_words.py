"""Texts that are not ASCII in headers: S3 keeps metadata as RFC 2047 encoded words."""

from contextlib import suppress
from email.errors import HeaderParseError
from email.header import decode_header, make_header


def decode_word(value: str) -> str:
    """Read a metadata value that is not ASCII: S3 sends it as an RFC 2047 encoded word, other servers as raw UTF-8.

    HTTP reads raw bytes as Latin-1; what is no UTF-8 then stays as it was read.

    Examples:
        >>> decode_word("=?UTF-8?B?Wm/Dqw==?="), decode_word("anna")
        ('Zoë', 'anna')
        >>> decode_word("Zoë".encode().decode("latin-1")), decode_word("Zoë")
        ('Zoë', 'Zoë')
    """
    with suppress(UnicodeError):
        value = value.encode("latin-1").decode()
    try:
        return str(make_header(decode_header(value)))
    except (HeaderParseError, LookupError, UnicodeError, ValueError):
        return value
