"""People's names as keyed hashes, for databases that are to hold no name; it keeps no key and reads no environment."""

import hashlib
import hmac
import re
import unicodedata
from dataclasses import dataclass, field
from typing import Self

from config.settings import Settings

PREFIX = "hmac-sha256:"
# 128 bits (RFC 4868 truncates HMAC-SHA-256 to them too): two of a billion people meet with a chance of 1 in 10^20.
_N_HEX = 32
_PSEUDONYM = re.compile(rf"{PREFIX}[0-9a-f]{{{_N_HEX}}}")
# No subject holds a control character, so nobody's pseudonym is this.
_FINGERPRINT_TEXT = "\0fingerprint"


def normalise(subject: str) -> str:
    """Write a name as it is stored: the same name typed on a Mac and elsewhere is one person (Unicode UAX 15)."""
    return unicodedata.normalize("NFC", subject).strip()


@dataclass(frozen=True)
class SubjectNaming:
    """How subjects are written into the database: in plain text, or under a key.

    Attributes:
        key: the secret; None: plain text.
    """

    key: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Take the key of this process's settings."""
        return cls(settings.subject_key.get_secret_value() if settings.subject_key else None)

    @property
    def fingerprint(self) -> str | None:
        """What tells this key from another without giving it away; None without a key."""
        return None if self.key is None else self._hash(self.key, _FINGERPRINT_TEXT)

    def store(self, subject: str) -> str:
        """Return what the database holds for a person.

        With a key it is `hmac-sha256:` and the first 32 hexadecimal digits of HMAC-SHA-256 (RFC 2104) of the
        normalised name in UTF-8, so that an app that holds the key can find a person in the views.

        >>> SubjectNaming().store(" ana ")
        'ana'
        >>> SubjectNaming("k" * 32).store("ana")
        'hmac-sha256:3f090c71617fd080443472b9ace02fdd'
        """
        plain = normalise(subject)
        return plain if self.key is None else PREFIX + self._hash(self.key, plain)

    def find(self, wanted: str) -> str:
        """Return what to look for when a person is asked for by name, or by the pseudonym that a view shows.

        Only for questions: what an uploader says is always hashed, or anybody could pass for anybody else.
        """
        return wanted.strip() if self.is_pseudonym(wanted) else self.store(wanted)

    def is_pseudonym(self, text: str) -> bool:
        """Say whether a text looks like what `store` gives under a key."""
        return self.key is not None and _PSEUDONYM.fullmatch(text.strip()) is not None

    @staticmethod
    def _hash(key: str, text: str) -> str:
        return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()[:_N_HEX]
