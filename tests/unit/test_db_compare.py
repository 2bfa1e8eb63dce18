"""Results of two versions side by side: each live recording once, whatever the page; also run on PostgreSQL."""

import pytest
from compare_samples import ANGRY, SAD, add_notes, add_versions, fill_two, score
from db_samples import MONDAY, a_recording, new_sqlite

from db import compare, recordings
from db.compare import Period, read_pairs


@pytest.fixture
def engine(tmp_path):
    return new_sqlite(tmp_path)


def read(engine, a, b, **chosen):
    return list(read_pairs(engine, a=a.id, b=b.id, chosen=Period(**chosen)))


def test_each_recording_has_what_both_versions_made_of_it(engine):
    a, b = fill_two(engine)
    found = read(engine, a, b)

    assert [(pair.tenant, pair.subject) for pair in found] == [
        *[("clinic", "ben")] * 2,
        *[("default", "ana")] * 3,
        ("default", None),
    ]
    assert [(pair.a and pair.a.label, pair.b and pair.b.label) for pair in found] == [
        ("sadness", None),
        ("sadness", "sadness"),
        *[("sadness", "anger")] * 3,
        ("sadness", None),
    ]
    assert found[0].b is not None, "silent"
    assert found[-1].b is None, "not scored"
    assert dict(found[2].b.scores) == ANGRY
    assert (found[2].a.wall_ms, found[2].b.wall_ms, found[2].b.peak_rss_kib) == (1_000, 2_000, 1_024)


@pytest.mark.parametrize("page", [2, 100])
def test_pages_leave_nothing_out_and_tell_nothing_twice(engine, page, monkeypatch):
    a, b = fill_two(engine)
    add = add_notes(engine, None, 3, tenant="clinic")
    score(engine, a, dict.fromkeys(add, SAD))
    whole = read(engine, a, b)
    monkeypatch.setattr(compare, "PAGE", page)

    found = read(engine, a, b)

    assert found == whole
    assert len({pair.recording_id for pair in found}) == 9


def test_only_the_tenant_and_the_days_that_are_asked_for_are_read(engine):
    a, b = fill_two(engine)

    assert {pair.subject for pair in read(engine, a, b, tenant="clinic")} == {"ben"}
    assert len(read(engine, a, b, since=MONDAY.date(), until=MONDAY.date())) == 3
    assert len(read(engine, a, b, since=MONDAY.replace(day=4).date())) == 1


def test_what_was_replaced_or_has_no_result_is_left_out(engine):
    a, b = add_versions(engine)
    first, _ = add_notes(engine, "ana", 2)
    score(engine, a, {first: SAD})
    recordings.register(engine, [a_recording("default/ana/000.wav", "v2", subject="ana", recorded_at=MONDAY)])

    assert read(engine, a, b) == []
