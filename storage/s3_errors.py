"""Turn what boto3 raises into this room's errors, each with its remedy; never repeats a key or a secret."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    CredentialRetrievalError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
    MetadataRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSLError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)
from botocore.exceptions import (
    ConnectionError as BotoConnectionError,
)

from storage.errors import ObjectChanged, ObjectMissing, StorageDenied, StorageError, StorageUnavailable

# Error codes: "List of error codes", Amazon S3 API Reference.
BUSY = {"SlowDown", "Throttling", "ThrottlingException", "RequestTimeout", "RequestLimitExceeded", "InternalError"}
CREDENTIALS_REMEDY = "correct TONALOG_S3_ACCESS_KEY and TONALOG_S3_SECRET_KEY"
HTTPS_REMEDY = "if it speaks TLS, begin TONALOG_S3_ENDPOINT_URL with https://"
REGION_REMEDY = "it is in another region, set TONALOG_S3_REGION"
REMEDIES = {
    "NoSuchBucket": "make it, or correct the s3:// URL",
    "InvalidAccessKeyId": CREDENTIALS_REMEDY,
    "SignatureDoesNotMatch": CREDENTIALS_REMEDY,
    "ExpiredToken": CREDENTIALS_REMEDY,
    "InvalidToken": CREDENTIALS_REMEDY,
    "PermanentRedirect": REGION_REMEDY,
    "301": REGION_REMEDY,  # what HEAD says, which has no body
    "AuthorizationHeaderMalformed": REGION_REMEDY,
    "RequestTimeTooSkewed": "set this machine's clock",
    "InvalidObjectState": "the object is archived, restore it to a class that can be read",
}
PASSING = (
    BotoConnectionError,
    HTTPClientError,
    IncompleteReadError,
    FlexibleChecksumError,
    CredentialRetrievalError,
    MetadataRetrievalError,
)
NO_CREDENTIALS = (
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)
# What OpenSSL calls an answer that is no TLS.
NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG")
BAD_REQUEST, MISSING, CONFLICT, CHANGED, BEYOND_END, TOO_MANY = 400, 404, 409, 412, 416, 429
SERVER_ERROR, NOT_IMPLEMENTED = 500, 501


class BodyBrokenOff(StorageUnavailable):
    """The connection broke in the middle of an object's content."""


class ConditionFailed(ObjectChanged):
    """The server answers that If-Match does not hold; some do so for an object that is unchanged."""


class NotSupported(StorageUnavailable):
    """The server has no such request."""


class RangeBeyondEnd(StorageError):
    """The part that was asked for begins at the end of the object, or beyond."""


_OF_OBJECT: dict[int, tuple[type[StorageError], str]] = {
    BEYOND_END: (RangeBeyondEnd, "the object ends before the part that was asked for"),
    CHANGED: (ConditionFailed, "the object was replaced after it was registered"),
    MISSING: (ObjectMissing, "there is no such object"),
}


@contextmanager
def translated(bucket: str, endpoint_url: str | None) -> Iterator[None]:
    """Translate every error of boto3 inside this context.

    Args:
        bucket: for messages.
        endpoint_url: for messages, without what may be secret in it.

    Raises:
        ObjectMissing: 404 on a key.
        ConditionFailed: 412, If-Match did not match.
        NotSupported: 501, the server knows no such request, or not with such a header.
        RangeBeyondEnd: 416, the object is shorter than that.
        StorageUnavailable: timeouts, refused or broken connections, 5xx, throttling, corrupted bodies.
        StorageDenied: credentials, permission, bucket, region, certificate or address are wrong.
    """
    try:
        yield
    except ClientError as error:
        raise _of_answer(error, bucket, endpoint_url) from error
    except BotoCoreError as error:
        raise _of_failure(error, endpoint_url) from error


def _of_answer(error: ClientError, bucket: str, endpoint_url: str | None) -> StorageError:
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in REMEDIES:
        return StorageDenied(f"S3 answered {code} for bucket {bucket!r}: {REMEDIES[code]}")
    if status >= SERVER_ERROR or status in {CONFLICT, TOO_MANY} or code in BUSY:
        busy = NotSupported if status == NOT_IMPLEMENTED else StorageUnavailable
        return busy(f"S3 answered {status} {code}: busy or broken, try again later")
    if (of_object := _OF_OBJECT.get(status)) is not None:
        kind, message = of_object
        return kind(message)
    if status == BAD_REQUEST and _is_plain(endpoint_url):  # what web servers answer to plain text where they expect TLS
        return StorageDenied(f"{_place(endpoint_url)} answered {status} {code}: check its address; {HTTPS_REMEDY}")
    return StorageDenied(f"S3 answered {status} {code} for bucket {bucket!r}: check the permissions")


def _of_failure(error: BotoCoreError, endpoint_url: str | None) -> StorageError:
    kind, place = type(error).__name__, _place(endpoint_url)
    if isinstance(error, ConnectionClosedError) and _is_plain(endpoint_url):
        return StorageUnavailable(f"{place} hung up: {HTTPS_REMEDY}, else check that it runs")
    if isinstance(error, SSLError) and "CERTIFICATE" in str(error):
        return StorageDenied(f"the certificate of {place} is not trusted: set TONALOG_S3_CA_BUNDLE")
    if isinstance(error, SSLError) and any(words in str(error) for words in NO_TLS):
        return StorageUnavailable(f"{place} does not speak TLS: turn it on there, or correct TONALOG_S3_ENDPOINT_URL")
    if isinstance(error, PASSING):
        return StorageUnavailable(f"{place} cannot be reached ({kind}): check that it runs and its address")
    if isinstance(error, NO_CREDENTIALS):
        return StorageDenied(f"no S3 credentials ({kind}): set TONALOG_S3_ACCESS_KEY and TONALOG_S3_SECRET_KEY")
    return StorageDenied(f"{place} cannot be used ({kind}): check bucket name, endpoint and region")


def _is_plain(endpoint_url: str | None) -> bool:
    return (endpoint_url or "").startswith("http://")


def _place(endpoint_url: str | None) -> str:
    if endpoint_url is None:
        return "AWS S3"
    parts = urlsplit(endpoint_url)
    return f"S3 at {parts.scheme}://{parts.netloc.rpartition('@')[2]}"
