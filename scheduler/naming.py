"""How a scan finds out who speaks, when, and whose it is, and how that is written down."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from config.settings import Settings
from db.rows import NewRecording
from storage.identity import DEFAULT_TENANT, IdentityRules
from storage.intake import GivenManifest, Identified, Intake
from storage.open import S3Access, open_store
from storage.protocol import ObjectStore, StorageDenied
from storage.pseudonyms import SubjectNaming

NO_MANIFEST = "none"


@dataclass(frozen=True)
class IntakeOptions:
    """What somebody says for one scan, in place of the settings; None: the settings count.

    Attributes:
        subject: the person of every recording.
        tenant: whose recordings they are.
        patterns: rules for keys.
        manifest: where a manifest is.
        zone: IANA name of the zone of times that name none.
    """

    subject: str | None = None
    tenant: str | None = None
    patterns: tuple[str, ...] = ()
    manifest: str | None = None
    zone: str | None = None


NO_OPTIONS = IntakeOptions()


@dataclass(frozen=True)
class Naming:
    """The rules of one scan.

    Attributes:
        pattern: rules for keys, see `storage.layouts.Layouts`.
        time_zone: IANA name of the zone of times that name none.
        subjects: how a person is written down.
        tenant: the tenant of recordings that name none.
        options: what was said for this scan only.
        manifest: where the manifest is; None: beside the recordings, if anywhere; NO_MANIFEST: nowhere.
        s3: how a manifest on S3 is reached.
        reads_metadata: whether objects' metadata may say who and when.
    """

    pattern: str
    time_zone: str
    subjects: SubjectNaming = field(default_factory=SubjectNaming)
    tenant: str = DEFAULT_TENANT
    options: IntakeOptions = NO_OPTIONS
    manifest: str | None = None
    s3: S3Access = field(default_factory=S3Access)
    reads_metadata: bool = True

    @classmethod
    def of(cls, settings: Settings, options: IntakeOptions = NO_OPTIONS) -> Self:
        """Take this process's settings, and the options over them."""
        return cls(
            pattern="\n".join(options.patterns) or settings.key_pattern,
            time_zone=options.zone or settings.time_zone,
            subjects=SubjectNaming.of(settings),
            tenant=settings.tenant,
            options=options,
            manifest=options.manifest or settings.manifest,
            s3=S3Access.of(settings),
            reads_metadata=settings.object_metadata,
        )

    def intake(
        self, store: ObjectStore, prefix: str, *, now: datetime | None = None, looks_beside: bool = True
    ) -> Intake:
        """Open a place's recordings, with the manifest that is for them.

        Args:
            store: where they are.
            prefix: which of them.
            now: see `storage.intake.Intake`.
            looks_beside: whether a manifest beside the recordings is one; not where only the HTTP API writes.

        Raises:
            KeyPatternError: the pattern cannot be used.
            ManifestError: the manifest cannot be used.
            StorageError: it is not there, or cannot be read.
        """
        rules = IdentityRules(
            layouts=self.pattern,
            zone=self.time_zone,
            subject=self.options.subject,
            tenant=self.options.tenant,
            default_tenant=self.tenant,
        )
        return Intake(
            store,
            prefix,
            rules=rules,
            manifest=None if self.manifest in {None, NO_MANIFEST} else _open_manifest(self.manifest, self.s3),
            looks_beside=looks_beside and self.manifest != NO_MANIFEST,
            reads_metadata=self.reads_metadata,
            secret=self.subjects.key,
            is_by_option=self.options != NO_OPTIONS,
            now=now,
        )

    def describe(self, store: ObjectStore, found: Identified) -> NewRecording:
        """Write down what was read of a recording, as the database holds it."""
        stored, identity = found.stored, found.identity
        return NewRecording(
            store=store.name,
            bucket=store.bucket,
            key=stored.key,
            version_tag=stored.version_tag,
            size_bytes=stored.size_bytes,
            uploaded_at=stored.uploaded_at,
            subject=None if identity.subject is None else self.subjects.store(identity.subject),
            subject_source=identity.subject_source,
            recorded_at=identity.recorded_at,
            recorded_at_precision=identity.recorded_at_precision,
            recorded_at_source=identity.recorded_at_source,
            tenant=identity.tenant,
            tenant_source=identity.tenant_source,
            utc_offset_min=identity.utc_offset_min,
            recorded_at_zone=identity.recorded_at_zone,
            local_day=identity.local_day,
            identity_tag=found.tag,
        )


def _open_manifest(place: str, s3: S3Access) -> GivenManifest:
    store, key = open_store(place, s3=s3)
    if not key or key.endswith("/"):
        raise StorageDenied(f"the manifest {place!r} is a folder: name a file, .csv or .jsonl")
    return GivenManifest(store, key)
