"""Receive notifications from a queue in the shape of SQS, and delete those that are done with."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from boto3.session import Session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from storage.errors import StorageDenied, StorageUnavailable

if TYPE_CHECKING:
    from mypy_boto3_sqs.client import SQSClient

MAX_MESSAGES = 10  # that SQS gives and deletes at once
WAIT_S = 10  # of 20 at most: a stop of the process must not take long
_CONNECT_TIMEOUT_S = 5
_DENIED = {"AccessDenied", "AccessDeniedException", "InvalidClientTokenId", "SignatureDoesNotMatch"}
_MISSING = {"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"}


@dataclass(frozen=True)
class QueueMessage:
    """A message of a queue; `receipt` deletes it."""

    body: str
    receipt: str


class EventQueue:
    """A queue that a store sends its notifications to; used by one thread."""

    def __init__(
        self,
        url: str,
        *,
        region: str = "us-east-1",
        access_key: str | None = None,
        secret_key: str | None = None,
        ca_bundle: str | None = None,
        wait_s: int | None = None,
    ) -> None:
        """Point at a queue; nothing is contacted yet.

        Args:
            url: of the queue; its host is the server.
            region: where the queue is, unless its host says so.
            access_key: with `secret_key`; both unset: boto3's own chain.
            secret_key: see `access_key`.
            ca_bundle: file of CA certificates to trust.
            wait_s: how long a call waits for messages, 0 to 20; None: `WAIT_S`.
        """
        self._url = url
        self._region = _region_of(url) or region
        self._keys = access_key, secret_key
        self._ca_bundle = ca_bundle
        self._wait_s = WAIT_S if wait_s is None else wait_s
        self._made: SQSClient | None = None

    def receive(self) -> list[QueueMessage]:
        """Wait for messages, and give ten at most.

        A message that is not deleted comes again once the queue's visibility timeout is over.

        Raises:
            StorageUnavailable: the queue cannot be reached.
            StorageDenied: there is no such queue, or we may not read it.
        """
        try:
            answer = self._sqs.receive_message(
                QueueUrl=self._url, MaxNumberOfMessages=MAX_MESSAGES, WaitTimeSeconds=self._wait_s
            )
        except (BotoCoreError, ClientError) as error:
            raise _translate(error) from error
        return [QueueMessage(message["Body"], message["ReceiptHandle"]) for message in answer.get("Messages", [])]

    def delete(self, messages: Sequence[QueueMessage]) -> None:
        """Delete messages; one that stays all the same comes again, which does no harm.

        Raises:
            StorageUnavailable: the queue cannot be reached.
            StorageDenied: we may not delete from it.
        """
        try:
            for start in range(0, len(messages), MAX_MESSAGES):
                some = enumerate(messages[start : start + MAX_MESSAGES])
                entries = [{"Id": str(number), "ReceiptHandle": message.receipt} for number, message in some]
                self._sqs.delete_message_batch(QueueUrl=self._url, Entries=entries)  # type: ignore[arg-type]
        except (BotoCoreError, ClientError) as error:
            raise _translate(error) from error

    @property
    def _sqs(self) -> "SQSClient":
        if self._made is None:
            parts = urlsplit(self._url)
            config = Config(
                connect_timeout=_CONNECT_TIMEOUT_S,
                read_timeout=self._wait_s + _CONNECT_TIMEOUT_S,
                retries={"mode": "standard", "total_max_attempts": 2},
            )
            self._made = Session(*self._keys, region_name=self._region).client(
                "sqs", endpoint_url=f"{parts.scheme}://{parts.netloc}", verify=self._ca_bundle or True, config=config
            )
        return self._made


def _region_of(url: str) -> str | None:
    """Read the region of a queue on AWS.

    >>> _region_of("https://sqs.eu-central-1.amazonaws.com/123/notes"), _region_of("http://localhost:9324/0/notes")
    ('eu-central-1', None)
    """
    host = urlsplit(url).hostname or ""
    return host.split(".")[1] if host.startswith("sqs.") and ".amazonaws." in host else None


def _translate(error: BotoCoreError | ClientError) -> StorageUnavailable | StorageDenied:
    code = error.response["Error"].get("Code", "") if isinstance(error, ClientError) else ""
    if code in _MISSING:
        return StorageDenied("there is no such queue: correct TONALOG_EVENTS_QUEUE")
    if code in _DENIED:
        return StorageDenied(f"the queue of TONALOG_EVENTS_QUEUE cannot be used ({code}): see docs/ingestion.md")
    return StorageUnavailable(f"the queue of TONALOG_EVENTS_QUEUE does not answer ({code or type(error).__name__})")
