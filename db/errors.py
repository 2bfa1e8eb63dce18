"""The errors this room raises and the one place where the driver's errors become them; it never logs."""

from sqlalchemy.engine import URL, ExceptionContext
from sqlalchemy.exc import DataError, IntegrityError, OperationalError, ProgrammingError

# SQLSTATE classes that time heals: connection trouble, rollback by the server, resources, operator intervention,
# and a lock that was not free (PostgreSQL 15 documentation, appendix A).
_PASSING_SQLSTATE_CLASSES = ("08", "40", "53", "57", "55")
_MISSING_TABLE_SQLSTATES = ("42P01", "42703")
_RIGHT_MISSING_SQLSTATE = "42501"

# What libpq says of TLS (its `fe-secure-openssl.c` and `fe-connect.c`), first match wins.
_TLS_REMEDIES = (
    (
        "certificate verify failed",
        "its certificate is not trusted, set sslrootcert in the URL to the CA that signed it",
    ),
    ("does not match host name", "its certificate is for another name, use that name in the URL"),
    ("root certificate file", "correct sslrootcert in the URL"),
    ("server does not support SSL", "turn TLS on there; the URL's sslmode asks for it"),
    ("no encryption", "it takes encrypted connections only, set sslmode=verify-full and sslrootcert in the URL"),
)


class DatabaseError(Exception):
    """The database refused or failed; the message names the remedy where one is known."""


class DatabaseUnavailable(DatabaseError):
    """The database cannot be reached or is busy; the same call may succeed later."""


class RightMissing(DatabaseError):
    """The database knows who asks and does not allow it."""


class SchemaOutdated(DatabaseError):
    """A table or column is missing: the migrations have not been run on this database."""


class ConstraintViolated(DatabaseError):
    """The rows broke a promise of the schema (unique, foreign key, check, immutable result)."""


class RowNotFound(DatabaseError):
    """What was asked for is not in the database."""


class SubjectKeyMismatch(DatabaseError):
    """The subjects in the database are stored under another key, or under none."""


class NameConflict(DatabaseError):
    """A person cannot be given this name."""


class BatchEnded(DatabaseError):
    """A batch that was cancelled or is done cannot go on."""


class FeedExpired(DatabaseError):
    """What a reader of the feed of changes has not seen yet is not kept any more."""


class ErasedMeanwhile(DatabaseError):
    """A person was erased while their rows were being written to a file."""


class TooManyExports(DatabaseError):
    """A tenant has as many exports as are kept at once."""


class ModelConflict(DatabaseError):
    """A model of this name and version is registered with other content."""


class ModelIncomplete(DatabaseError):
    """A model lacks results that readers have now, so that activating it would take them away."""


class ModelInUse(DatabaseError):
    """A model version is active, is read by somebody or has work left, so that it cannot be retired or removed."""


class ModelRetired(DatabaseError):
    """A model version was retired or removed, and is not scored with or switched to any more."""


def translate(context: ExceptionContext, url: URL) -> DatabaseError | None:
    """Turn a driver's error into one of this module's.

    Args:
        context: what SQLAlchemy knows of the failure.
        url: where the engine points; its password is masked in the message.

    Returns:
        The error to raise instead, or None for an error that is not the database's.
    """
    error = context.sqlalchemy_exception
    if error is None:
        return None
    where = show_url(url)
    said = _first_words(context.original_exception)
    if _is_missing_table(error, context, said):
        return SchemaOutdated(f"{where} lacks a table or column ({said}): run `tonalog db upgrade`")
    if isinstance(error, IntegrityError | DataError):
        return ConstraintViolated(f"{where} refused the rows: {said}")
    if context.is_disconnect or _is_passing(error, context):
        return DatabaseUnavailable(f"{where} is not available ({said}): {_remedy(url, said)}")
    if getattr(context.original_exception, "sqlstate", None) == _RIGHT_MISSING_SQLSTATE:
        return RightMissing(f"{where} failed: {said}")
    is_damaged = "not a database" in said or "malformed" in said
    remedy = ": it is damaged or no SQLite file, put a backup in its place or move it away" if is_damaged else ""
    return DatabaseError(f"{where} failed: {said}{remedy}")


def show_url(url: URL) -> str:
    """Write a database URL without its secrets; libpq reads passwords from the query too, which SQLAlchemy does not mask."""
    return url.set(query={}).render_as_string(hide_password=True)


def _first_words(error: BaseException) -> str:
    # PostgreSQL's details quote the row, and rows hold keys and people.
    primary = getattr(getattr(error, "diag", None), "message_primary", None)
    return " ".join(str(primary or error).split())


def _is_missing_table(error: Exception, context: ExceptionContext, said: str) -> bool:
    state = getattr(context.original_exception, "sqlstate", None)
    if isinstance(error, ProgrammingError) and state in _MISSING_TABLE_SQLSTATES:
        return True
    return isinstance(error, OperationalError) and said.startswith(("no such table", "no such column"))


def _is_passing(error: Exception, context: ExceptionContext) -> bool:
    state = getattr(context.original_exception, "sqlstate", None)
    if state:
        return str(state).startswith(_PASSING_SQLSTATE_CLASSES)
    return isinstance(error, OperationalError)


def _remedy(url: URL, said: str) -> str:
    if not url.get_backend_name().startswith("sqlite"):
        for words, remedy in _TLS_REMEDIES:
            if words in said:
                return remedy
        return "check that the server runs and that the database URL and its password are right"
    if "unable to open" in said or "readonly" in said:
        return "check that its folder exists and that this user may write there"
    if "locked" in said:
        return "another process kept it locked; try again"
    return "check the disk it is on (space, permissions), then try again"
