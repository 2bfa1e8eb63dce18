"""The page on two versions: every number in words, picture and table, and nobody's name unless asked for."""

from datetime import UTC, datetime

import numpy as np
import pytest

from pictures.comparison_figures import draw_confusion, draw_differences, draw_persons, draw_shifts
from pictures.pages import render_comparison
from pictures.person_figures import WIDTHS
from tests.unit.test_comparing import LABELS, compare, outcome, pair
from trends.comparing import Limits, check_limits

AT = datetime(2026, 5, 13, 9, 30, tzinfo=UTC)


def two_versions(n_movers=0):
    rng = np.random.default_rng(0)
    pairs = []
    for n in range(400):
        first = LABELS[rng.integers(4)] if rng.random() > 0.1 else None
        second = first if rng.random() > 0.2 else LABELS[rng.integers(4)]
        made = [outcome(label, share=rng.uniform(0.4, 0.9), wall_ms=300 + n) for label in (first, second)]
        pairs.append(pair(*made, person=f"person-{n // 10}"))
    return compare(pairs, n_movers=n_movers)


def render(found, **limits):
    return render_comparison(found, check_limits(found, Limits(**limits)), at=AT, scope="All of it")


@pytest.mark.parametrize("width", WIDTHS)
def test_every_count_is_in_its_picture(width):
    found = two_versions()

    cells = [mark for mark in draw_confusion(found, width=width).marks if mark.kind == "heat"]
    numbers = [mark.text for mark in draw_confusion(found, width=width).marks if mark.kind in {"on-heat", "label"}]

    assert len(cells) == len(found.names) ** 2
    assert sorted(map(int, filter(str.isdigit, numbers))) == sorted(n for row in found.confusion for n in row)
    assert sum(mark.kind == "day" for mark in draw_shifts(found, width=width).marks) == 4
    for figure, bars in (
        (draw_differences(found.shifts[0], width=width), found.shifts[0].bars),
        (draw_persons(found.persons, width=width), found.persons.bars),
    ):
        assert sum(mark.kind == "note scored" for mark in figure.marks) == sum(n > 0 for n in bars)


def test_the_page_has_every_number_in_a_table_and_tells_limits():
    found = two_versions()
    html = render(found, max_disagree=0.01, max_shift=0.9)

    assert html.count("<table>") == 5
    assert "allowed is at most 0.01: exceeded" in html
    assert "allowed is at most 0.9: within" in html
    assert "A limit is exceeded" in html
    assert f"{found.n_both} recordings have a result of both" in html
    assert "person-" not in html
    assert "<script" not in html


def test_persons_are_named_only_when_asked():
    assert "<td>person-" in render(two_versions(n_movers=2))


def test_versions_with_nothing_in_common_have_a_page_that_claims_nothing():
    html = render(compare([]), max_disagree=0.5)

    assert "nothing to measure; allowed" in html
    assert "Undefined, of the labels" in html
    assert '<svg class="wide"' not in html
