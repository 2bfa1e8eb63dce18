"""A person's page: words first, each number that a picture shows also in a table, and nothing drawn that is not known."""

import re
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser

import numpy as np
import pytest

from pictures.pages import content_security_policy, render_people, render_person
from pictures.person import Measure, OwnBaseline
from pictures.person_figures import WIDTHS, count_notes, draw_coverage, draw_measure, draw_mix, find_model_changes
from pictures.person_words import HIDDEN, MEANING, list_states, say_lack, say_mix, say_own, say_state, say_why
from tests.unit.days import FIRST, make_days
from tests.unit.persons import LABELS, SETTINGS, a_measure, a_person
from trends import TrendReason, TrendState, judge_person


@pytest.fixture(scope="module")
def page():
    return a_person()


@pytest.fixture(scope="module")
def sad(page):
    return next(measure for measure in page.measures if measure.name == "sadness")


def kinds(figure):
    return [mark.kind for mark in figure.marks]


class _Text(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def read(html):
    parser = _Text()
    parser.feed(html)
    return parser


def test_a_shift_is_told_with_its_day_and_the_numbers_behind_it(page, sad):
    assert sad.trend.state is TrendState.SHIFTED_UP
    assert re.fullmatch(r"more than usual, since about \d+ Apr\.", say_state(sad, SETTINGS))
    why = say_why(sad, SETTINGS)
    assert "standard deviations of single days above" in why
    assert "left its limits on" in why
    assert f"{sad.trend.baseline.n_days} days" in why


def test_a_fall_is_less(sad):
    fallen = replace(sad, trend=replace(sad.trend, state=TrendState.SHIFTED_DOWN))

    assert say_state(fallen, SETTINGS).startswith("less than usual")


def test_too_few_days_are_told_by_how_many_there_are_and_no_number_is_drawn():
    page = a_person(n_days=5)

    assert list_states(page.measures, page.settings) == [
        ("All measures", "too few notes yet: 5 of 60 days.", "insufficient")
    ]
    assert say_why(page.measures[0], SETTINGS) is None
    drawn = set(kinds(draw_measure(page.measures[0], page, width=WIDTHS[0])))
    assert not drawn & {"band", "band-own", "usual", "average", "limit", "recent", "recent-interval", "shift"}
    assert "day" in drawn


@pytest.mark.parametrize(
    "reason", [one for one in TrendReason if one not in {TrendReason.WITHIN_LIMITS, TrendReason.BEYOND_LIMIT}]
)
def test_every_lack_has_words(sad, reason):
    lacking = replace(sad.trend, state=TrendState.INSUFFICIENT, reason=reason)

    assert re.match(r"too (few|little)|the days", say_lack(lacking, SETTINGS))
    assert say_lack(replace(lacking, is_restarted=True), SETTINGS).endswith("A new model began a new baseline.")


def test_what_is_unusual_leads_and_what_a_baseline_hides_is_said(page):
    text = read(render_person(page)).text

    assert "relative to this person mostly sadness (.44)" in text
    assert text.index("relative to this person mostly") < text.index("Table of days")
    assert HIDDEN in text
    assert MEANING in text


def test_without_relative_scores_the_page_says_how_many_notes_are_needed(page):
    own = OwnBaseline(is_personal=False, n_notes=3, needed_notes=5)

    assert say_own(own) == "Too few notes yet for relative scores: 3 of 5."
    assert say_own(None) == "This model has no rule for relative scores."
    mix = replace(page.mix, relative=None)
    assert say_mix(mix).endswith("the model hears mostly neutral (.55).")
    assert "relative" not in kinds(draw_mix(mix, width=WIDTHS[0]))


@pytest.mark.parametrize("width", WIDTHS)
def test_every_day_with_a_level_is_one_dot_and_a_gap_is_none(page, sad, width):
    figure = draw_measure(sad, page, width=width)

    assert kinds(figure).count("day") == sum(day.level is not None for day in sad.days)
    assert {"shift", "recent", "band-own", "average"} <= set(kinds(figure))
    assert kinds(figure).count("limit") == 2


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_lies_outside_its_figure(page, width):
    figures = [draw_measure(measure, page, width=width) for measure in page.measures]
    for figure in [*figures, draw_coverage(page, width=width), draw_mix(page.mix, width=width)]:
        for mark in figure.marks:
            if "d" in mark.place:
                places = [tuple(map(float, pair.split())) for pair in re.split("[MLZ]", mark.place["d"]) if pair]
            else:
                place = {name: float(value) for name, value in mark.place.items() if name != "text-anchor"}
                places = [
                    (
                        place.get("x", place.get("cx", place.get("x1"))),
                        place.get("y", place.get("cy", place.get("y1"))),
                    ),
                    (
                        place.get("x", place.get("x2", 0)) + place.get("width", 0),
                        place.get("y", place.get("y2", 0)) + place.get("height", 0),
                    ),
                ]
            for x, y in places:
                assert -1 <= x <= width + 1, mark
                assert -1 <= y <= figure.height + 1, mark


def test_coverage_shows_each_note_once(page):
    day = page.days[0]

    assert sum(count_notes(day).values()) == day.n_scored + day.n_no_speech + day.n_failed + day.n_pending
    drawn = [kind for kind in kinds(draw_coverage(page, width=WIDTHS[0])) if kind.startswith("note")]
    assert len(drawn) == sum(n > 0 for day in page.days for n in count_notes(day).values())


def test_a_change_of_model_is_marked_on_its_first_day():
    n_old, n_both, n_new = 80, 20, 40
    rng = np.random.default_rng(1)
    levels = rng.normal(-1, 0.5, n_old + n_both + n_new)
    old = make_days(levels[: n_old + n_both], model="m-1")
    new = make_days(levels[n_old:], model="m-2", first=FIRST + timedelta(days=n_old))
    as_of = FIRST + timedelta(days=len(levels) - 1)
    days = (*old, *new)
    measure = Measure(name="sadness", trend=judge_person(days, SETTINGS, model="m-2", as_of=as_of), days=days)
    page = replace(a_person(), measures=(measure,), as_of=as_of)

    assert find_model_changes(days) == [(FIRST + timedelta(days=n_old), "m-2")]
    figure = draw_measure(measure, page, width=WIDTHS[0])
    assert [mark.text for mark in figure.marks if mark.kind == "model-text"] == ["m-2"]
    assert "day other" in kinds(figure)
    assert "20 days that both models scored" in say_why(measure, SETTINGS)
    assert len(page.days) == len(levels), "a day that both scored is one day"


def test_the_table_beneath_holds_every_dot(page):
    html = render_person(page)
    parsed = read(html)

    n_dots = sum(day.level is not None for measure in page.measures for day in measure.days)
    n_rows = sum(tag == "tr" for tag, _ in parsed.tags)
    assert n_rows == n_dots + len(page.days) + len(LABELS) + 1  # and a head for each table
    assert sum(tag == "circle" and attrs["class"] == "day" for tag, attrs in parsed.tags) >= n_dots * len(WIDTHS)


def test_names_are_text_and_never_elements():
    hostile = '<script>alert(1)</script>"&'

    html = render_person(a_person(subject=hostile, remark=hostile))

    assert "<script" not in html
    assert hostile in read(html).text


def test_a_page_asks_for_nothing_from_elsewhere(page):
    parsed = read(render_person(page))

    names = {tag for tag, _ in parsed.tags}
    assert not names & {"script", "link", "img", "iframe", "object", "embed"}
    assert not any({"src", "href", "style"} & set(attrs) for _, attrs in parsed.tags)
    policy = content_security_policy()
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("n_people", [1, 3])
def test_ids_are_there_once_and_every_one_that_is_named_is_there(page, n_people):
    html = render_person(page)
    if n_people > 1:
        html = render_people(
            [replace(page, subject=f"p{n}") for n in range(n_people)], title="People", remark="Made up."
        )
    tags = read(html).tags
    ids = [attrs["id"] for _, attrs in tags if "id" in attrs]
    named = [name for _, attrs in tags for name in attrs.get("aria-labelledby", "").split()]
    named += [attrs["href"].removeprefix("#") for _, attrs in tags if "href" in attrs]

    assert len(ids) == len(set(ids))
    assert set(named) <= set(ids)
    assert len(named) >= n_people * 2 * 2 * (len(LABELS) + 2)


def test_a_page_on_several_persons_has_each_with_its_own_states(page):
    few = a_person(n_days=5, subject="ben", mix=None)

    text = read(render_people([page, few], title="Two", remark="Made up.")).text

    assert "Made up." in text
    assert "all measures too few notes yet: 5 of 60 days." in text
    assert text.count(HIDDEN) == 1


def test_whoever_sends_no_more_notes_is_told_so(page):
    text = read(render_person(replace(page, mix=None))).text

    assert "No scored notes in the last 14 days: the last one is of 10 May 2026." in text


def test_a_person_without_scored_notes_has_a_page():
    page = replace(a_person(), measures=(), mix=None, own=None)

    assert "No days yet" in read(render_person(page)).text


def test_a_measure_with_gaps_alone_has_a_picture():
    measure = a_measure("sadness", [np.nan] * 8)
    page = replace(a_person(), measures=(measure,), as_of=FIRST + timedelta(days=7), mix=None)

    assert "0 of 60 days" in render_person(page)
