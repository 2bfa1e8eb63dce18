"""The protocol of `tonalog evaluate personal`, end to end through the database: the same ten notes give the same figures."""

from dataclasses import replace

import numpy as np
import pytest
from db_samples import new_sqlite
from people_samples import add_model, add_notes

from db.people_rows import read_relative
from people import refresh
from tests.unit.test_personal_protocol import make_corpus
from training.measures import metrics
from training.studies.personal import measure_reference
from training.studies.personal.trial import Draw, group_people, judge
from trends import MIDDLE_MIX, Baseline, BaselineRule, make_middle_mix_rule

N_BEFORE = 10


@pytest.fixture
def engine(tmp_path):
    return new_sqlite(tmp_path)


def draw_first(people, tenants):
    """A draw in which each person's first ten notes are the baseline of every note, in place of chance."""
    rows = group_people("corpus", people)
    person = np.zeros(len(people.truth), dtype=np.int64)
    drawn = np.zeros((len(people.truth), N_BEFORE), dtype=np.int64)
    for place, of_person in enumerate(rows):
        person[of_person], drawn[of_person] = place, of_person[:N_BEFORE]
    n_others = np.array([len(of_person) - 1 for of_person in rows])[person]
    return Draw(
        drawn, n_others, person, rows, [of_person[:N_BEFORE] if tenants else of_person[:0] for of_person in rows]
    )


@pytest.mark.parametrize("rule", [BaselineRule(MIDDLE_MIX), make_middle_mix_rule()], ids=["note by note", "middle mix"])
@pytest.mark.parametrize("is_one_tenant", [True, False], ids=["one tenant", "a tenant each"])
def test_the_recall_from_stored_rows_is_that_of_evaluate_personal(engine, rule, is_one_tenant):
    people, _ = make_corpus(n_people=5, per_label=5, shift=1.5, common=(1.0, 0.0, -1.0, 0.0))
    people = shuffle_within_people(people)
    section = Baseline(measure_reference(make_corpus(seed=9, n_people=20)[0], rule), rule)
    draw = draw_first(people, is_one_tenant)
    [(_, judged)] = judge("corpus", people, draw, reference=section.reference, rule=rule, sizes=[N_BEFORE])
    model = add_model(engine, section=section, labels=people.labels)
    ids = np.zeros(len(people.truth), dtype=np.int64)
    for place, rows in enumerate(draw.people):
        scores = [dict(zip(people.labels, people.probabilities[row].tolist(), strict=True)) for row in rows]
        tenant = "default" if is_one_tenant else f"tenant-{place}"
        ids[rows] = add_notes(engine, model, f"person-{place}", scores, tenant=tenant)

    refresh(engine)

    later = np.concatenate([rows[N_BEFORE:] for rows in draw.people])
    stored = read_relative(engine, ids[later].tolist())
    found = np.array([[stored[one].scores[label] for label in people.labels] for one in ids[later].tolist()])
    expected = (judged.shared if is_one_tenant else judged.own)[np.searchsorted(judged.rows, later)]
    assert {one.n_notes for one in stored.values()} == {N_BEFORE}
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
    assert measure_recall(found, people, later) == measure_recall(expected, people, later)
    assert measure_recall(found, people, later) > measure_recall(people.probabilities[later], people, later) + 0.05


def measure_recall(scores, people, rows):
    confusion = metrics.count_confusion(people.truth[rows], scores.argmax(axis=1), len(people.labels))
    return metrics.measure_unweighted_accuracy(confusion)


def shuffle_within_people(people):
    """Put the notes of each person in an order in which the first ten hold several emotions."""
    rng = np.random.default_rng(3)
    order = np.concatenate([rng.permutation(rows) for rows in group_people("corpus", people)])
    return replace(people, truth=people.truth[order], probabilities=people.probabilities[order])
