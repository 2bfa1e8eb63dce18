"""What boto3 raises before any server answers, in this room's words."""

import pytest
from botocore import exceptions

from storage.protocol import StorageDenied, StorageError, StorageUnavailable
from storage.s3_errors import translated

URL = "https://user:canary@s3.example.org"


@pytest.mark.parametrize(
    ("error", "expected", "message"),
    [
        (exceptions.EndpointConnectionError(endpoint_url=URL), StorageUnavailable, "check that it runs"),
        (exceptions.ConnectTimeoutError(endpoint_url=URL), StorageUnavailable, "check that it runs"),
        (exceptions.ReadTimeoutError(endpoint_url=URL), StorageUnavailable, "check that it runs"),
        (exceptions.ConnectionClosedError(endpoint_url=URL), StorageUnavailable, "check that it runs"),
        (exceptions.ProxyConnectionError(proxy_url=URL), StorageUnavailable, "check that it runs"),
        (exceptions.CredentialRetrievalError(provider="x", error_msg="y"), StorageUnavailable, "cannot be"),
        (
            exceptions.SSLError(endpoint_url=URL, error=OSError("[SSL: CERTIFICATE_VERIFY_FAILED]")),
            StorageDenied,
            "set TONALOG_S3_CA_BUNDLE",
        ),
        (exceptions.SSLError(endpoint_url=URL, error=OSError("EOF")), StorageUnavailable, "check that it runs"),
        (exceptions.NoCredentialsError(), StorageDenied, "set TONALOG_S3_ACCESS_KEY"),
        (
            exceptions.PartialCredentialsError(provider="x", cred_var="y"),
            StorageDenied,
            "set TONALOG_S3_ACCESS_KEY",
        ),
        (exceptions.ProfileNotFound(profile="x"), StorageDenied, "set TONALOG_S3_ACCESS_KEY"),
        (exceptions.ParamValidationError(report="x"), StorageDenied, "check bucket name"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_every_failure_says_whether_waiting_helps_and_what_else_does(
    error: Exception, expected: type[StorageError], message: str
) -> None:
    with pytest.raises(expected, match=message) as caught, translated("notes", URL):
        raise error

    assert caught.value.__cause__ is error
    assert "canary" not in str(caught.value)


def test_other_errors_pass_through() -> None:
    with pytest.raises(ZeroDivisionError), translated("notes", None):
        raise ZeroDivisionError
