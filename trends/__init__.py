"""A person's scores over time: numbers in, records out; no SQL, no files, no clock, and nothing of the other rooms."""

from trends.personal import (
    BaselineState,
    NotesSummary,
    Offset,
    TenantOffset,
    measure_offset,
    measure_tenant_offset,
    relate_scores,
    summarise_notes,
)
from trends.rule import MIDDLE_MIX, BaselineRule, Reference, read_reference, read_rule

__all__ = [
    "MIDDLE_MIX",
    "BaselineRule",
    "BaselineState",
    "NotesSummary",
    "Offset",
    "Reference",
    "TenantOffset",
    "measure_offset",
    "measure_tenant_offset",
    "read_reference",
    "read_rule",
    "relate_scores",
    "summarise_notes",
]
