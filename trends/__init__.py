"""A person's scores over time: numbers in, records out; no SQL, no files, no clock, and nothing of the other rooms."""

from trends.notes import Notes, collect_notes
from trends.personal import (
    BaselineState,
    Offset,
    OwnOffset,
    TenantOffset,
    measure_offset,
    measure_own_offset,
    measure_tenant_offset,
    relate_scores,
)
from trends.reference import Reference, read_reference
from trends.rule import MIDDLE_MIX, BaselineRule, make_middle_mix_rule, read_rule, spread_mix
from trends.section import Baseline, read_baseline, write_baseline

__all__ = [
    "MIDDLE_MIX",
    "Baseline",
    "BaselineRule",
    "BaselineState",
    "Notes",
    "Offset",
    "OwnOffset",
    "Reference",
    "TenantOffset",
    "collect_notes",
    "make_middle_mix_rule",
    "measure_offset",
    "measure_own_offset",
    "measure_tenant_offset",
    "read_baseline",
    "read_reference",
    "read_rule",
    "relate_scores",
    "spread_mix",
    "write_baseline",
]
