"""Go through the recordings of a place, with all that says who speaks in them and when: manifest, sidecars, tags."""

import hashlib
import hmac
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass, replace
from datetime import datetime, timedelta
from pathlib import PurePosixPath

from storage.container_tags import may_have_tags, read_creation_time
from storage.errors import ObjectChanged, ObjectMissing, ObjectTruncated, StorageError
from storage.identity import DEFAULT_RULES, IdentityRules, RecordingIdentity, identify
from storage.layouts import compile_layouts
from storage.manifests import MANIFEST_NAMES, MAX_MANIFEST_BYTES, Manifest, ManifestError, read_manifest
from storage.objects import StoredObject, is_listed
from storage.protocol import ObjectStore
from storage.sidecars import MAX_SIDECAR_BYTES, SUFFIX, read_sidecar, sidecar_keys
from storage.statements import Statement
from storage.uploads import is_upload

# Goes into every tag: a release that reads the same sources otherwise counts it up, and scans read all of them again.
READING_VERSION = 1
# Begins the tags of what was read with options that no later scan knows of.
BY_OPTION = "option:"
# Times of upload are whole seconds on S3, so metadata may change within the second in which it is read.
_SAME_SECOND = timedelta(seconds=2)
_N_HEX = 32
N_AT_ONCE = 16  # objects that are asked for side by side: a store far away answers each after many ms
MAX_FAILED = 3  # of a page; more of them are no accident, and each has been tried several times
_MAX_HELD_BACK = 10_000  # names that begin alike, at the end of a page


@dataclass(frozen=True)
class Listed:
    """A recording as a listing shows it.

    Attributes:
        stored: the object; its metadata is None where the listing tells none.
        sidecar: the file beside it that says who and when.
        tag: changes whenever what identity is read from does, but for the object's own metadata.
    """

    stored: StoredObject
    sidecar: StoredObject | None
    tag: str


@dataclass(frozen=True)
class Identified:
    """A recording with who and when; `tag` is None where it is worth reading again."""

    stored: StoredObject
    identity: RecordingIdentity
    tag: str | None


@dataclass(frozen=True)
class GivenManifest:
    """A manifest that somebody named, and where it lies."""

    store: ObjectStore
    key: str


class Intake:
    """The recordings below a prefix of a store, without manifests and sidecars."""

    def __init__(
        self,
        store: ObjectStore,
        prefix: str = "",
        *,
        rules: IdentityRules = DEFAULT_RULES,
        manifest: GivenManifest | None = None,
        looks_beside: bool = True,
        reads_metadata: bool = True,
        secret: str | None = None,
        is_by_option: bool = False,
        now: datetime | None = None,
    ) -> None:
        """Read the manifest: the given one, else `manifest.csv` or `manifest.jsonl` in the folder of the prefix.

        Args:
            store: where the recordings are.
            prefix: which of them.
            rules: what the operator says.
            manifest: the one to read in place of the one beside the recordings.
            looks_beside: False takes a manifest beside the recordings for any other object: whoever may upload it says who
                speaks in all of them, and a broken one stops the scan.
            reads_metadata: False takes no notice of objects' metadata but for uploads over HTTP, so that the store need not
                be asked for each of them. An inventory may be old, so that what it lists is asked for all the same.
            secret: keys the tags, where names are not to be guessed from them.
            is_by_option: the rules hold for this time only.
            now: what was uploaded about now gets no tag, since its metadata may change without being seen.

        Raises:
            KeyPatternError: the rules for keys cannot be used.
            ManifestError: the manifest cannot be used.
            StorageError: it cannot be read.
        """
        compile_layouts(rules.layouts)
        self._store, self._prefix, self._rules = store, prefix, rules
        self._reads_metadata = reads_metadata
        self._fixed = (READING_VERSION, *astuple(rules), *(() if reads_metadata else ("no metadata",)))
        self._secret = (secret or "").encode()
        self.is_by_option = is_by_option
        self._settled_before = None if now is None else now - _SAME_SECOND
        self._base = prefix[: prefix.rfind("/") + 1]
        self._own_keys = {self._base + name for name in MANIFEST_NAMES} if looks_beside else set()
        if manifest is not None and (manifest.store.name, manifest.store.bucket) == (store.name, store.bucket):
            self._own_keys.add(manifest.key)
        self._is_beside = manifest is None
        given = manifest or (self._find_manifest() if looks_beside else None)
        self._manifest = None if given is None else _load_manifest(given, base=self._base)

    def pages(self) -> Iterator[list[Listed]]:
        """Give the recordings, in pages of about 1,000; a sidecar is never on another page than its recording."""
        for page in _whole_groups(self._store.list_objects(self._prefix)):
            by_key = {item.key: item for item in page if item.key not in self._own_keys}
            sidecars = {key: self._sidecar_of(key, by_key) for key in by_key if not key.endswith(SUFFIX)}
            used = {found.key for found in sidecars.values() if found is not None}
            listed = [self._listed(item, sidecars.get(key)) for key, item in by_key.items() if key not in used]
            if listed:
                yield listed

    def look_up(self, key: str) -> Listed | None:
        """Give one recording as the listing shows it now.

        The listing and not a HEAD, whose times are rounded: else the next scan would take each for changed.

        Args:
            key: of a recording; a key that ends in `.json` is taken for a sidecar, which is none.

        Returns:
            None where there is no such object, or scans would not take it for a recording.

        Raises:
            StorageError: the store cannot be listed.
        """
        is_ours = key.startswith(self._prefix) and is_listed(key, self._prefix)
        if not is_ours or key in self._own_keys or key.endswith(SUFFIX):
            return None
        page = next(iter(self._store.list_objects(key)), [])
        found = next((item for item in page if item.key == key), None)
        return None if found is None else self._listed(found, self._find_sidecar(key))

    def identify(self, listed: Listed) -> Identified | None:
        """Read who and when; None where the object is gone.

        Raises:
            StorageError: the object or its sidecar cannot be read.
        """
        stored = listed.stored
        if stored.metadata is None:
            try:
                stored = self._store.head(stored.key)
            except ObjectMissing:
                return None  # deleted since it was listed
            if stored.version_tag == listed.stored.version_tag:
                # Servers round the one they give with HEAD; the next scan compares what its listing says.
                stored = replace(stored, uploaded_at=listed.stored.uploaded_at)
            if not self._reads_metadata_of(stored.key):
                stored = replace(stored, metadata={})
        sidecar, is_whole = self._read_sidecar(listed.sidecar)
        identity = identify(
            stored,
            rules=self._rules,
            manifest=self._row_of(stored.key),
            sidecar=sidecar,
            read_tag=(lambda: self._read_tag(stored)) if may_have_tags(stored.key) and stored.size_bytes else None,
        )
        is_final = identity.is_complete and is_whole and self._is_settled(listed.stored)
        return Identified(stored, identity, listed.tag if is_final or self.is_by_option else None)

    def identify_all(self, page: Sequence[Listed]) -> tuple[list[Identified], list[StorageError]]:
        """Read who and when of many recordings, as `identify` does, some of them side by side.

        Returns:
            What was read, in the order of the page, without what is gone; and the errors of those that could not be read.
            After MAX_FAILED of them the rest is not asked for.
        """
        errors: list[StorageError] = []

        def read(listed: Listed) -> Identified | None:
            if len(errors) >= MAX_FAILED:
                return None
            try:
                return self.identify(listed)
            except StorageError as error:
                errors.append(error)
                return None

        found = [read(listed) for listed in page[:1]]  # opens what the others then share
        if any(_asks(listed) for listed in page[1:]):
            with ThreadPoolExecutor(N_AT_ONCE, thread_name_prefix="intake") as threads:
                found += threads.map(read, page[1:])
        else:
            found += map(read, page[1:])
        return [item for item in found if item is not None], errors

    def manifest_gaps(self) -> list[str]:
        """Say which lines of the manifest are about no recording, once all pages were seen; at most ten by number."""
        if self._manifest is None or self._prefix != self._base:
            return []
        lines = self._manifest.unused_lines(within="" if self._is_beside or not self._base else self._base)
        if not lines:
            return []
        more = f" and {len(lines) - 10} more" if len(lines) > 10 else ""  # noqa: PLR2004 - a readable line
        numbers = ", ".join(str(line) for line in lines[:10])
        return [f"{self._manifest.name}: no recording here is the one of line {numbers}{more}; check their keys"]

    def _is_settled(self, item: StoredObject) -> bool:
        return item.metadata is not None or self._settled_before is None or item.uploaded_at < self._settled_before

    def _listed(self, item: StoredObject, sidecar: StoredObject | None) -> Listed:
        row = self._row_of(item.key)
        document = [
            *self._fixed,
            [row.subject, row.recorded_at, row.zone, row.tenant] if row else None,
            sidecar.version_tag if sidecar else None,
        ]
        if not self._reads_metadata_of(item.key) and self._store.lists_now:
            item = replace(item, metadata={})
        text = json.dumps(document).encode()
        digest = hmac.new(self._secret, text, hashlib.sha256) if self._secret else hashlib.sha256(text)
        return Listed(item, sidecar, (BY_OPTION if self.is_by_option else "") + digest.hexdigest()[:_N_HEX])

    def _reads_metadata_of(self, key: str) -> bool:
        return self._reads_metadata or is_upload(key)

    def _row_of(self, key: str) -> Statement | None:
        return None if self._manifest is None else self._manifest.row_of(key)

    def _sidecar_of(self, key: str, by_key: dict[str, StoredObject]) -> StoredObject | None:
        for name in sidecar_keys(key):
            if name in by_key:
                return by_key[name]
            if key == self._prefix or not name.startswith(self._prefix):  # the listing was told to leave it out
                try:
                    return self._store.head(name)
                except ObjectMissing:
                    continue
        return None

    def _find_sidecar(self, key: str) -> StoredObject | None:
        for name in sidecar_keys(key):
            try:
                return self._store.head(name)
            except ObjectMissing:
                continue
        return None

    def _read_sidecar(self, sidecar: StoredObject | None) -> tuple[Statement | None, bool]:
        if sidecar is None:
            return None, True
        if sidecar.size_bytes > MAX_SIDECAR_BYTES:
            return Statement(place="sidecar", problem="the sidecar has more than 1 MiB"), True
        try:
            with self._store.open(
                sidecar.key, version_tag=sidecar.version_tag, size_bytes=sidecar.size_bytes
            ) as opened:
                return read_sidecar(opened.file.read()), True
        except (ObjectMissing, ObjectChanged, ObjectTruncated):
            return Statement(place="sidecar", problem="the sidecar changed while it was read"), False

    def _read_tag(self, stored: StoredObject) -> datetime | None:
        return read_creation_time(
            lambda start, n_bytes: self._store.read_range(
                stored.key, start=start, n_bytes=n_bytes, version_tag=stored.version_tag
            )
        )

    def _find_manifest(self) -> GivenManifest | None:
        found = []
        for name in MANIFEST_NAMES:
            try:
                found.append(self._store.head(self._base + name).key)
            except ObjectMissing:
                continue
        if len(found) > 1:
            raise ManifestError(
                f"there are both {' and '.join(MANIFEST_NAMES)} beside the recordings; keep one of them"
            )
        return GivenManifest(self._store, found[0]) if found else None


def _asks(listed: Listed) -> bool:
    return listed.stored.metadata is None or listed.sidecar is not None or may_have_tags(listed.stored.key)


def _load_manifest(given: GivenManifest, *, base: str) -> Manifest:
    name = PurePosixPath(given.key).name
    stored = given.store.head(given.key)
    if stored.size_bytes > MAX_MANIFEST_BYTES:
        raise ManifestError(f"{name} has {stored.size_bytes} bytes; {MAX_MANIFEST_BYTES} are allowed")
    with given.store.open(given.key, version_tag=stored.version_tag, size_bytes=stored.size_bytes) as opened:
        return read_manifest(opened.file, name=name, base=base)


def _whole_groups(pages: Iterator[list[StoredObject]]) -> Iterator[list[StoredObject]]:
    """Cut pages so that names which are alike up to their first dot, and lie beside each other, stay together.

    Where the listing breaks off, what it gave is given too, but for a last `.json` whose recording may have come next.
    """
    held: list[StoredObject] = []
    try:
        for page in pages:
            held += page
            n_whole = _count_whole(held)
            if n_whole:
                yield held[:n_whole]
                held = held[n_whole:]
    except StorageError:
        last = _group(held[-1].key) if held else ""
        if whole := [item for item in held if not (item.key.endswith(SUFFIX) and _group(item.key) == last)]:
            yield whole
        raise
    if held:
        yield held


def _count_whole(held: list[StoredObject]) -> int:
    last = _group(held[-1].key)
    n_whole = len(held)
    while n_whole and _group(held[n_whole - 1].key) == last and len(held) - n_whole < _MAX_HELD_BACK:
        n_whole -= 1
    return n_whole


def _group(key: str) -> str:
    folder, slash, name = key.rpartition("/")
    return folder + slash + name.partition(".")[0]
