"""Presigned PUTs: a URL with which somebody without S3 keys stores one object, and the headers that are bound to it."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from config.settings import Settings
from storage.s3_client import make_client
from storage.s3_errors import translated

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


@dataclass(frozen=True)
class SignedPut:
    """One PUT that may be made without a key: its URL, and the headers without which the server refuses it."""

    url: str
    headers: Mapping[str, str]


def make_signing_client(settings: Settings, bucket: str) -> "S3Client":
    """Make a client that signs for the address at which uploaders reach the server; it contacts nobody.

    Raises:
        StorageDenied: endpoint, region or credentials cannot be used.
    """
    access, secret = settings.s3_access_key, settings.s3_secret_key
    return make_client(
        bucket,
        endpoint_url=settings.s3_public_endpoint_url or settings.s3_endpoint_url,
        region=settings.s3_region,
        access_key=access.get_secret_value() if access else None,
        secret_key=secret.get_secret_value() if secret else None,
        verify=True,
        # Else botocore signs for AWS's oldest regions in the old way, which binds no headers.
        signature_version="s3v4",
    )


def sign_put(
    client: "S3Client",
    bucket: str,
    key: str,
    *,
    metadata: Mapping[str, str],
    content_type: str,
    lifetime_s: int,
    size_bytes: int | None = None,
    sha256: str | None = None,
) -> SignedPut:
    """Sign a PUT of one object.

    Args:
        client: of `make_signing_client`.
        bucket: where to.
        key: which object.
        metadata: bound to the URL, in ASCII.
        content_type: bound to it.
        lifetime_s: how long the server takes it, in seconds from now, 1 to 604,800.
        size_bytes: bound to it where given.
        sha256: hexadecimal; AWS refuses other bytes where given, and servers that know no checksums ignore it.

    Raises:
        StorageDenied: there are no credentials to sign with.
    """
    wanted: dict[str, Any] = {
        "Bucket": bucket,
        "Key": key,
        "ContentType": content_type,
        "Metadata": dict(metadata),
    }
    headers = {"Content-Type": content_type, **{f"x-amz-meta-{name}": value for name, value in metadata.items()}}
    if size_bytes is not None:
        wanted["ContentLength"] = size_bytes
        headers["Content-Length"] = str(size_bytes)
    if sha256 is not None:
        wanted["ChecksumSHA256"] = headers["x-amz-checksum-sha256"] = base64.b64encode(bytes.fromhex(sha256)).decode()
    with translated(bucket, None):
        url = client.generate_presigned_url("put_object", Params=wanted, ExpiresIn=lifetime_s)
    return SignedPut(url, headers)
