"""A person's scores over time: numbers in, records out; no SQL, no files, no clock, and nothing of the other rooms.

Each name is loaded when it is asked for: a worker needs 2 of the 25 modules, and all took a twentieth of its start.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trends.day import Day, NoteLevel, NoteSpread, NoteState, measure_note_spread, summarise_day
    from trends.day_baseline import DayBaseline, freeze_day_baseline, read_day_baseline
    from trends.logit import from_logit, to_logit
    from trends.measures import VOICE_MEASURES, Measure, Scale, find_measure, read_note_level
    from trends.notes import Notes, collect_notes
    from trends.person import judge_person
    from trends.person_trend import PersonTrend, TrendReason, TrendState
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
    from trends.settings import TrendSettings
    from trends.within_note import Level, Movement, describe_movement, measure_level

__all__ = [
    "MIDDLE_MIX",
    "VOICE_MEASURES",
    "Baseline",
    "BaselineRule",
    "BaselineState",
    "Day",
    "DayBaseline",
    "Level",
    "Measure",
    "Movement",
    "NoteLevel",
    "NoteSpread",
    "NoteState",
    "Notes",
    "Offset",
    "OwnOffset",
    "PersonTrend",
    "Reference",
    "Scale",
    "TenantOffset",
    "TrendReason",
    "TrendSettings",
    "TrendState",
    "collect_notes",
    "describe_movement",
    "find_measure",
    "freeze_day_baseline",
    "from_logit",
    "judge_person",
    "make_middle_mix_rule",
    "measure_level",
    "measure_note_spread",
    "measure_offset",
    "measure_own_offset",
    "measure_tenant_offset",
    "read_baseline",
    "read_day_baseline",
    "read_note_level",
    "read_reference",
    "read_rule",
    "relate_scores",
    "spread_mix",
    "summarise_day",
    "to_logit",
    "write_baseline",
]

_NAMES_OF = {
    "day": ("Day", "NoteLevel", "NoteSpread", "NoteState", "measure_note_spread", "summarise_day"),
    "day_baseline": ("DayBaseline", "freeze_day_baseline", "read_day_baseline"),
    "logit": ("from_logit", "to_logit"),
    "measures": ("VOICE_MEASURES", "Measure", "Scale", "find_measure", "read_note_level"),
    "notes": ("Notes", "collect_notes"),
    "person": ("judge_person",),
    "person_trend": ("PersonTrend", "TrendReason", "TrendState"),
    "personal": (
        "BaselineState",
        "Offset",
        "OwnOffset",
        "TenantOffset",
        "measure_offset",
        "measure_own_offset",
        "measure_tenant_offset",
        "relate_scores",
    ),
    "reference": ("Reference", "read_reference"),
    "rule": ("MIDDLE_MIX", "BaselineRule", "make_middle_mix_rule", "read_rule", "spread_mix"),
    "section": ("Baseline", "read_baseline", "write_baseline"),
    "settings": ("TrendSettings",),
    "within_note": ("Level", "Movement", "describe_movement", "measure_level"),
}
_PLACE_OF = {name: place for place, names in _NAMES_OF.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _PLACE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACE_OF[name]}"), name)
