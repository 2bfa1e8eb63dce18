"""Where uploads go: the bucket or folder of TONALOG_STORAGE_URL, opened when somebody uploads for the first time."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from api.problems import Problem, bad_parameter
from api.upload_bodies import NewUploadBody, PutBody
from config.settings import Settings
from db.uploads import Upload
from storage.errors import StorageError
from storage.local import LocalStore
from storage.local_uploads import remove_left_over
from storage.open import open_place
from storage.protocol import ObjectStore
from storage.s3_signed import make_signing_client, sign_put
from storage.times import parse_recorded_at
from storage.uploads import FOLDER, HEADER_PREFIX, Speaker, make_key, make_metadata

LIFETIME = timedelta(minutes=15)
_CLOCKS_DIFFER = timedelta(minutes=5)
_LEFT_OVER_S = 3600.0
_log = logging.getLogger(__name__)
SignPut = Callable[[str, NewUploadBody, Speaker, int], PutBody]


@dataclass(frozen=True)
class Place:
    """A store that takes uploads.

    Attributes:
        store: where recordings are.
        prefix: which of them are scanned.
        sign: gives the PUT to an object by its key, what was said of it, who speaks, and for how many seconds; None: bytes
            come through this server.
    """

    store: ObjectStore
    prefix: str
    sign: SignPut | None = None

    @property
    def folder(self) -> Path:
        """The folder of a local store."""
        return Path(self.store.bucket)

    def make_key(self, upload_id: str, ending: str) -> str:
        """Name the object of an upload."""
        return make_key(self.prefix, upload_id, ending)


@dataclass
class Uploads:
    """What the routes of uploads share."""

    settings: Settings
    _place: Place | None = field(default=None, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    @property
    def max_bytes(self) -> int:
        """How much an upload may have."""
        return self.settings.max_bytes

    def place(self) -> Place:
        """Give where uploads go.

        Raises:
            Problem: 503 where no storage is set, or it cannot be used.
        """
        with self._lock:
            if self._place is None:
                self._place = self._open()
            return self._place

    def place_of_scans(self) -> tuple[str, str] | None:
        """Give the bucket, or folder, and the prefix in which scans look; None where no storage is set.

        Raises:
            StorageDenied: it cannot be used.
        """
        if self.settings.storage_url is None:
            return None
        store, prefix = open_place(self.settings, self.settings.storage_url)
        return store.bucket, prefix

    def _open(self) -> Place:
        url = self.settings.storage_url
        if url is None:
            detail = "This server takes no uploads: an operator has to set TONALOG_STORAGE_URL."
            raise Problem(503, "uploads-not-possible", detail=detail)
        try:
            return self._open_url(url)
        except StorageError as error:
            _log.exception("uploads have no place", exc_info=False, extra={"error": type(error).__name__})
            detail = "This server's TONALOG_STORAGE_URL cannot be used; its log says more."
            raise Problem(503, "uploads-not-possible", detail=detail) from None

    def _open_url(self, url: str) -> Place:
        store, prefix = open_place(self.settings, url)
        if isinstance(store, LocalStore):
            if prefix:
                detail = "This server's TONALOG_STORAGE_URL is one file: uploads need a folder or a bucket."
                raise Problem(503, "uploads-not-possible", detail=detail)
            remove_left_over(Path(store.bucket), [FOLDER], older_than_s=_LEFT_OVER_S)
            return Place(store, "")
        client = make_signing_client(self.settings, store.bucket)

        def sign(key: str, said: NewUploadBody, speaker: Speaker, lifetime_s: int) -> PutBody:
            signed = sign_put(
                client,
                store.bucket,
                key,
                metadata=make_metadata(speaker),
                content_type=said.media_type,
                lifetime_s=lifetime_s,
                size_bytes=said.size_bytes,
                sha256=said.sha256,
            )
            return PutBody(url=signed.url, headers=dict(signed.headers), needs_key=False)

        return Place(store, prefix, sign)


def make_put(place: Place, upload: Upload, said: NewUploadBody, speaker: Speaker, *, now: datetime) -> PutBody:
    """Say how the bytes of an upload are sent."""
    if place.sign is None:
        headers = {f"{HEADER_PREFIX}{name}": value for name, value in make_metadata(speaker).items()}
        headers = {"Content-Type": said.media_type, **headers}
        return PutBody(url=f"/v1/uploads/{upload.id}/content", headers=headers, needs_key=True)
    lifetime_s = max(1, int((upload.expires_at - now).total_seconds()))
    return place.sign(upload.key, said, speaker, lifetime_s)


def check_time(said: NewUploadBody, *, zone: str, now: datetime) -> None:
    """Refuse a time that does not exist or has not come yet.

    Args:
        said: what the app says.
        zone: of days that come without one.
        now: this server's clock.

    Raises:
        Problem: 422.
    """
    told = said.time_zone is not None
    time = parse_recorded_at(said.recorded_at, zone=said.time_zone or zone, is_zone_told=told)
    if time is None:
        message = "not a time that exists, from 1990 to 2099"
        raise bad_parameter("body", "recorded_at", message=message, value=said.recorded_at)
    if time.time > now.astimezone(UTC) + _CLOCKS_DIFFER:
        message = f"is in the future; here it is {now.astimezone(UTC).isoformat(timespec='seconds')}"
        raise bad_parameter("body", "recorded_at", message=message, value=said.recorded_at)
