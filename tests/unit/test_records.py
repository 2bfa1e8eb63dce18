"""Records of training that are read again as they were written."""

import json
from dataclasses import asdict, dataclass

import pytest

from training.data.files import read_record, write_json


@dataclass(frozen=True)
class Inner:
    values: tuple[float, ...]
    name: str | None = None


@dataclass(frozen=True)
class Outer:
    pairs: tuple[tuple[str, int], ...]
    inner: Inner
    further: tuple[Inner, ...] = ()
    maybe: Inner | None = None
    by_share: dict[float, Inner] | None = None


WHOLE = Outer((("a", 1), ("b", 2)), Inner((0.5, 1.0), "x"), (Inner(()),), Inner((2.0,)), {0.25: Inner((3.0,))})


@pytest.mark.parametrize("record", [WHOLE, Outer((), Inner(()))])
def test_a_record_survives_json(record):
    assert read_record(Outer, json.loads(json.dumps(asdict(record)))) == record


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"pairs": [], "inner": {"values": []}, "colour": 1}, "Outer has no colour; allowed are pairs, inner"),
        ({"pairs": [], "inner": {"values": [], "size": 1}}, "Inner has no size"),
        ({"pairs": []}, "inner"),
    ],
)
def test_a_value_too_many_or_too_few_is_refused_by_its_name(values, message):
    with pytest.raises(ValueError, match=message):
        read_record(Outer, values)


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    target = tmp_path / "a.json"
    write_json(target, {"a": 1})
    with pytest.raises(TypeError):
        write_json(target, {"a": object()})
    assert json.loads(target.read_text()) == {"a": 1}
