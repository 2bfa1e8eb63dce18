"""What storage raises; messages never hold a key, because keys may hold names."""


class StorageError(Exception):
    """Storage refused or failed; the message names the remedy where one is known."""


class ObjectMissing(StorageError):
    """There is no object under this key (any more)."""


class ObjectChanged(StorageError):
    """The object under this key is not the version that was asked for."""


class ObjectTruncated(StorageError):
    """The right version holds fewer bytes than were registered."""


class StorageUnavailable(StorageError):
    """The store cannot be reached, is busy, or cut the answer short; the same call may succeed later."""


class StorageDenied(StorageError):
    """The store refuses (credentials, permission, bucket, certificate, key); a person has to fix it."""
