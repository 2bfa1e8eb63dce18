"""S3 and its likes as an object store, through boto3; never lists or reads outside its bucket."""

import os
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from datetime import UTC
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError
from urllib3.exceptions import HTTPError

from storage import objects
from storage.encoded_words import decode_word
from storage.errors import ObjectChanged, ObjectMissing, ObjectTruncated, StorageDenied, StorageUnavailable
from storage.objects import OpenedObject, StoredObject, is_listed
from storage.s3_client import ClientOptions, make_client
from storage.s3_errors import BodyBrokenOff, ConditionFailed, NotSupported, RangeBeyondEnd, translated
from storage.s3_pages import PageStart, follow_pages
from storage.s3_versions import erase_versions
from storage.spool import BLOCK_BYTES, spool

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef, ListObjectsV2OutputTypeDef

N_READ_ATTEMPTS = 3  # boto3 retries requests, not a body that breaks off half way


class S3Store:
    """A bucket on AWS S3 or a server that speaks its protocol; the version tag is the ETag.

    The client is made on first use, and again in a forked child: sockets must not be shared between processes.
    """

    name = "s3"
    lists_now = True

    def __init__(
        self,
        bucket: str,
        *,
        endpoint_url: str | None = None,
        region: str = "us-east-1",
        access_key: str | None = None,
        secret_key: str | None = None,
        ca_bundle: str | None = None,
        verify_tls: bool = True,
    ) -> None:
        """Point at a bucket; nothing is contacted yet.

        Args:
            bucket: its name.
            endpoint_url: a server other than AWS; buckets are then addressed by path.
            region: where the bucket is.
            access_key: with `secret_key`; both unset: boto3's own chain (environment, profile, role).
            secret_key: see `access_key`.
            ca_bundle: file of CA certificates to trust.
            verify_tls: False accepts any certificate; for tests only.
        """
        self.bucket = bucket
        self._endpoint_url = endpoint_url
        self._options: ClientOptions = {
            "bucket": bucket,
            "endpoint_url": endpoint_url,
            "region": region,
            "access_key": access_key,
            "secret_key": secret_key,
            "verify": ca_bundle or verify_tls,
        }
        self._keeps_if_match = True
        self._made: tuple[int, S3Client] | None = None

    def put(self, key: str, content: bytes, *, metadata: Mapping[str, str] | None = None) -> StoredObject:
        """Store an object, replacing what was there."""
        with translated(self.bucket, self._endpoint_url):
            self._client.put_object(Bucket=self.bucket, Key=key, Body=content, Metadata=metadata or {})
        return self.head(key)

    def list_objects(self, prefix: str = "", *, start_after: str | None = None) -> Iterator[list[StoredObject]]:
        """Give pages as ListObjectsV2 does; metadata is None throughout."""
        first: PageStart = {"StartAfter": start_after} if start_after else {}
        for answer in follow_pages(lambda start: self._list_page(prefix, n_max=objects.PAGE_SIZE, start=start), first):
            page = [
                StoredObject(
                    key=item["Key"],
                    version_tag=_read_tag(item),
                    size_bytes=item["Size"],
                    uploaded_at=item["LastModified"].astimezone(UTC),
                    metadata=None,
                )
                for item in answer.get("Contents", [])
                if is_listed(item["Key"], prefix)
            ]
            if page:
                yield page

    def head(self, key: str) -> StoredObject:
        """Describe an object with one HeadObject."""
        with translated(self.bucket, self._endpoint_url):
            answer = self._client.head_object(Bucket=self.bucket, Key=key)
        return StoredObject(
            key=key,
            version_tag=_read_tag(answer),
            size_bytes=answer["ContentLength"],
            uploaded_at=answer["LastModified"].astimezone(UTC),
            metadata={name.lower(): decode_word(value) for name, value in answer["Metadata"].items()},
        )

    def open(self, key: str, *, version_tag: str, size_bytes: int) -> OpenedObject:
        """Fetch an object with If-Match; a body that breaks off is asked for again, two more times."""
        for _ in range(N_READ_ATTEMPTS - 1):
            with suppress(BodyBrokenOff):
                return self._fetch(key, version_tag=version_tag, size_bytes=size_bytes)
        return self._fetch(key, version_tag=version_tag, size_bytes=size_bytes)

    def read_range(self, key: str, *, start: int, n_bytes: int, version_tag: str) -> bytes:
        """Fetch a part of an object with If-Match."""
        try:
            answer = self._get(key, version_tag, part=f"bytes={start}-{start + n_bytes - 1}")
        except RangeBeyondEnd:
            return b""
        with closing(answer["Body"]) as body:
            if _read_tag(answer) != version_tag:
                raise ObjectChanged("the object was replaced after it was listed")
            if start and "ContentRange" not in answer:
                raise StorageUnavailable("the server sent the whole object where a part of it was asked for")
            return _read_up_to(body, n_bytes)

    def delete(self, key: str) -> None:
        """Remove an object (in a versioned bucket: hide it behind a delete marker)."""
        with translated(self.bucket, self._endpoint_url):
            self._client.delete_object(Bucket=self.bucket, Key=key)

    def erase(self, key: str) -> None:
        """Remove all versions and delete markers; takes the permission to list and to delete versions."""
        with translated(self.bucket, self._endpoint_url):
            erase_versions(self._client, self.bucket, key)

    def verify(self, prefix: str = "") -> None:
        """List one key, and read from it if there is one."""
        answer = self._list_page(prefix, n_max=1)
        with translated(self.bucket, self._endpoint_url), suppress(self._client.exceptions.NoSuchKey):
            for item in answer.get("Contents", []):
                with closing(self._client.get_object(Bucket=self.bucket, Key=item["Key"])["Body"]) as body:
                    next(_read_blocks(body), None)

    def read_date_header(self) -> str | None:
        """Give the Date header of an answer of the server, None where it sends none."""
        date: str | None = self._list_page("", n_max=1)["ResponseMetadata"]["HTTPHeaders"].get("date")
        return date

    @property
    def _client(self) -> "S3Client":
        if self._made is None or self._made[0] != os.getpid():
            self._made = (os.getpid(), make_client(**self._options))
        return self._made[1]

    def _get(self, key: str, version_tag: str, *, part: str | None = None) -> "GetObjectOutputTypeDef":
        """Ask for an object with If-Match, and without where the server refuses it for an object that is unchanged.

        Without it nothing is lost but the body of an object that did change: the answer names its own ETag.
        """
        wanted: dict[str, Any] = {"Bucket": self.bucket, "Key": key, **({"Range": part} if part else {})}
        try:
            with translated(self.bucket, self._endpoint_url):
                condition: dict[str, Any] = {"IfMatch": f'"{version_tag}"'} if self._keeps_if_match else {}
                return self._client.get_object(**wanted, **condition)
        except (ConditionFailed, NotSupported) as error:
            if not self._keeps_if_match or self.head(key).version_tag != version_tag:
                raise ObjectChanged("the object was replaced after it was registered") from error
        self._keeps_if_match = False
        with translated(self.bucket, self._endpoint_url):
            return self._client.get_object(**wanted)

    def _list_page(self, prefix: str, *, n_max: int, start: PageStart | None = None) -> "ListObjectsV2OutputTypeDef":
        try:
            with translated(self.bucket, self._endpoint_url):
                return self._client.list_objects_v2(Bucket=self.bucket, Prefix=prefix, MaxKeys=n_max, **(start or {}))
        except ObjectMissing as error:  # a 404 that names no bucket
            raise StorageDenied("the endpoint knows no buckets: is it an S3 server?") from error

    def _fetch(self, key: str, *, version_tag: str, size_bytes: int) -> OpenedObject:
        answer = self._get(key, version_tag)
        with closing(answer["Body"]) as body:
            _check_promise(answer, version_tag=version_tag, size_bytes=size_bytes)
            return OpenedObject(*spool(_read_blocks(body), limit_bytes=size_bytes))


def _read_tag(answer: Mapping[str, Any]) -> str:
    """Read the ETag without what servers wrap it in, each in its own way (RFC 9110, section 8.8.3)."""
    tag = str(answer.get("ETag") or "").removeprefix("W/").strip('"')
    if not tag:
        raise StorageDenied("the server gives no ETag, by which one version of an object is told from the next")
    return tag


def _read_blocks(body: "StreamingBody") -> Iterator[bytes]:
    while block := _read_up_to(body, BLOCK_BYTES):
        yield block


def _read_up_to(body: "StreamingBody", n_bytes: int) -> bytes:
    try:
        return body.read(n_bytes)
    except (BotoCoreError, HTTPError) as error:
        raise BodyBrokenOff(f"the connection broke while reading ({type(error).__name__})") from error


def _check_promise(answer: "GetObjectOutputTypeDef", *, version_tag: str, size_bytes: int) -> None:
    # Some servers ignore If-Match and send whatever is there now (measured: rclone serve s3).
    if _read_tag(answer) != version_tag:
        raise ObjectChanged("the object was replaced after it was registered")
    n_bytes = answer["ContentLength"]
    if n_bytes < size_bytes:
        raise ObjectTruncated(f"the object holds {n_bytes} of the {size_bytes} bytes it was registered with")
    if n_bytes > size_bytes:
        raise ObjectChanged(f"the object holds {n_bytes} bytes, but was registered with {size_bytes}")
