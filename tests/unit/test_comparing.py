"""Two versions on the same recordings: every count adds up, and every interval is by person."""

from itertools import pairwise

import numpy as np
import pytest

from trends.comparing import NO_SPEECH, Limits, Outcome, Pair, Tally, Verdict, check_limits
from trends.comparing.clusters import ClusteredMean
from trends.comparing.histogram import Histogram

LABELS = ("anger", "happiness", "neutral", "sadness")


def outcome(top, *, labels=LABELS, is_uncertain=False, share=0.7, **others):
    scores = dict.fromkeys(labels, (1 - share) / (len(labels) - 1)) | ({top: share} if top else {})
    kept = {"label": top, "is_uncertain": is_uncertain, "scores": scores if top else {}, "duration_ms": 10_000}
    return Outcome(**kept | others)


def compare(pairs, *, labels_b=LABELS, n_movers=0):
    tally = Tally("m-1", "m-2", labels_a=LABELS, labels_b=labels_b, n_movers=n_movers)
    tally.add_all(pairs)
    return tally.finish()


def pair(a, b, person="ana"):
    return Pair(person=None if person is None else ("default", person), a=a, b=b)


def some_pairs(n=300, seed=0):
    rng = np.random.default_rng(seed)
    choices = [*LABELS, None]
    for n_note in range(n):
        made = [outcome(choices[rng.integers(5)], is_uncertain=bool(rng.integers(2))) for _ in range(2)]
        if rng.random() < 0.1:
            made[rng.integers(2)] = None
        yield pair(*made, person=f"p{n_note // 10:03}")


def test_a_version_agrees_with_itself_wholly():
    found = compare(pair(outcome(label), outcome(label), f"p{n}") for n in range(3) for label in (*LABELS, None))

    assert found.outcomes.share == found.labels.share == found.certain.share == found.kappa == 1
    assert [shift.shift.mean for shift in found.shifts] == [0] * 4
    assert {shift.quantiles for shift in found.shifts} == {(0, 0, 0, 0, 0)}
    assert found.persons.n_persons == 3
    assert found.coverage == 1


def test_every_recording_is_counted_once():
    pairs = list(some_pairs())
    found = compare(pairs)

    assert found.n_both + found.n_only_a + found.n_only_b == len(pairs)
    assert sum(map(sum, found.confusion)) == found.n_both == found.outcomes.n
    speech = found.speech
    assert speech.n_both + speech.n_only_a + speech.n_only_b + speech.n_neither == found.n_both
    assert speech.n_both == found.labels.n == sum(found.shifts[0].bars)
    assert found.names == (*LABELS, NO_SPEECH)
    assert found.certain.n < found.labels.n
    assert all(one.low <= one.share <= one.high for one in (found.outcomes, found.labels, found.certain))


def test_rows_are_the_first_version_and_columns_the_second():
    found = compare([pair(outcome("anger"), outcome("sadness")), pair(outcome("anger"), outcome(None))])

    assert found.confusion[0] == (0, 0, 0, 1, 1)
    assert found.speech.n_only_a == 1
    assert found.outcomes.n_agree == 0
    assert found.labels.n == 1
    shifts = {shift.label: shift for shift in found.shifts}
    assert shifts["sadness"].shift.mean == pytest.approx(0.6)
    assert shifts["anger"].mean_a - shifts["anger"].mean_b == pytest.approx(0.6)
    assert shifts["anger"].shift.low is None, "one person says nothing of others"


def test_two_persons_or_one_with_nearly_all_notes_have_no_interval():
    anger = outcome("anger")
    two = compare(pair(anger, anger, f"p{n}") for n in range(2))
    lopsided = compare(pair(anger, anger, f"p{max(n, 95)}") for n in range(100))

    assert two.outcomes.low is None
    assert lopsided.outcomes.low is None


def test_kappa_of_versions_that_always_say_the_same_word_is_unknown():
    assert compare([pair(outcome("anger"), outcome("anger"))]).kappa is None


def test_the_interval_is_that_of_persons_and_not_of_their_notes():
    rng = np.random.default_rng(1)
    of_persons, of_notes = ClusteredMean(), ClusteredMean()
    for shift in rng.normal(0, 0.1, 40):
        values = shift + rng.normal(0, 0.02, 50)
        of_persons.add(float(values.sum()), 50)
        for value in values:
            of_notes.add(float(value), 1)

    wide, narrow = of_persons.estimate(), of_notes.estimate()

    assert wide.mean == pytest.approx(narrow.mean)
    assert (wide.high - wide.low) > 5 * (narrow.high - narrow.low)


def test_the_interval_holds_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(2)
    n_inside = 0
    for _ in range(400):
        mean = ClusteredMean()
        for shift, n in zip(rng.normal(0.05, 0.1, 25), rng.integers(1, 30, 25), strict=True):
            mean.add(float((shift + rng.normal(0, 0.2, n)).sum()), int(n))
        found = mean.estimate()
        n_inside += found.low <= 0.05 <= found.high

    assert 0.92 <= n_inside / 400 <= 0.98


def test_notes_of_nobody_known_are_a_person_each_and_move_nobody():
    found = compare([pair(outcome("anger"), outcome("sadness"), None)] * 12)

    assert found.n_without_person == 12
    assert found.persons.n_persons == 0
    assert found.outcomes.low is not None


def test_who_moves_most_is_named_only_when_asked_for():
    pairs = [pair(outcome("anger"), outcome("sadness"), "far")] * 6 + [
        pair(outcome("anger"), outcome("anger"), "not")
    ] * 6
    pairs += [pair(outcome("anger"), outcome("sadness"), "few")] * 4

    unnamed, named = compare(pairs), compare(pairs, n_movers=1)

    assert unnamed.persons.movers == ()
    assert [move.subject for move in named.persons.movers] == ["far"]
    assert named.persons.movers[0].largest == pytest.approx(0.6)
    assert (unnamed.persons.n_persons, unnamed.persons.n_counted) == (3, 2)
    assert sum(unnamed.persons.bars) == 2


def test_a_class_that_one_version_lacks_is_told_and_shifts_nothing():
    wider = (*LABELS, "fear")
    found = compare([pair(outcome("anger"), outcome("fear", labels=wider))], labels_b=wider)

    assert found.unshared == ("fear",)
    assert found.names == (*LABELS, "fear", NO_SPEECH)
    assert [shift.label for shift in found.shifts] == list(LABELS)
    with pytest.raises(ValueError, match="'fear'; its version's classes"):
        compare([pair(outcome("fear", labels=wider), outcome("anger"))])


def test_cost_is_seconds_of_work_for_an_hour_of_audio():
    slow, unknown = outcome("anger", wall_ms=500, peak_rss_kib=9), outcome("anger")
    found = compare([pair(slow, unknown), pair(unknown, unknown)])

    assert found.cost_a.wall_s_per_hour == pytest.approx(180)
    assert (found.cost_a.n_measured, found.cost_a.peak_rss_kib) == (1, 9)
    assert found.cost_b.wall_s_per_hour is None


def test_quantiles_are_those_of_the_values():
    values = np.random.default_rng(3).normal(0, 0.3, 5000).clip(-1, 1)
    counted = Histogram(-1, 1, n_steps=2000)
    for value in values:
        counted.add(float(value))

    found = counted.quantiles((0.05, 0.5, 0.95))

    assert found == pytest.approx(np.quantile(values, (0.05, 0.5, 0.95)), abs=0.002)
    assert all(a <= b for a, b in pairwise(found))
    assert counted.quantile(0.0) is not None
    assert Histogram(0, 1, n_steps=4).quantiles((0.5,)) == ()


@pytest.mark.parametrize(
    ("limits", "name", "verdict"),
    [
        ({"max_disagree": 0.5}, "max_disagree", Verdict.WITHIN),
        ({"max_disagree": 0.49}, "max_disagree", Verdict.EXCEEDED),
        ({"max_shift": 0.31}, "max_shift", Verdict.WITHIN),
        ({"max_shift": 0.29}, "max_shift", Verdict.EXCEEDED),
        ({"min_coverage": 0.6}, "min_coverage", Verdict.WITHIN),
        ({"min_coverage": 0.7}, "min_coverage", Verdict.EXCEEDED),
    ],
)
def test_a_limit_is_held_against_its_value(limits, name, verdict):
    anger = outcome("anger")
    found = compare([pair(anger, anger), pair(anger, outcome("sadness")), pair(anger, None)])

    (breach,) = check_limits(found, Limits(**limits))

    assert (breach.name, breach.verdict, breach.limit) == (name, verdict, next(iter(limits.values())))


def test_a_version_that_hears_nobody_disagrees():
    found = compare([pair(outcome("anger"), outcome(None))])

    assert check_limits(found, Limits(max_disagree=0.9))[0].verdict is Verdict.EXCEEDED


def test_what_cannot_be_measured_passes_no_limit():
    verdicts = {
        breach.verdict for breach in check_limits(compare([]), Limits(max_disagree=1, max_shift=1, min_coverage=0))
    }

    assert verdicts == {Verdict.UNKNOWN}
    assert check_limits(compare([]), Limits()) == ()
