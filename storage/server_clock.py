"""Read the clock of an object store's server."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from storage.protocol import ObjectStore


def read_server_clock(store: ObjectStore) -> datetime | None:
    """Ask an S3 server what time it is, by the Date header of an answer (whole seconds).

    Args:
        store: which; a folder has the clock of its host, and None is given for it.

    Raises:
        StorageError: the server cannot be asked.
    """
    if store.name != "s3":
        return None
    from storage.s3 import S3Store  # noqa: PLC0415 - boto3 takes 0.15 s to import; a folder needs none of it

    assert isinstance(store, S3Store)
    header = store.read_date_header()
    return None if header is None else parsedate_to_datetime(header).astimezone(UTC)
