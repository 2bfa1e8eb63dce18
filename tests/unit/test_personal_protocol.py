"""Synthetic people whose true offset is known: the protocol finds it, and no note helps to judge itself."""

import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from tonalog.cli import cli
from tonalog.errors import TonalogError
from training.corpora.utterance import LABELS
from training.measures.predictions import Predictions, write_predictions
from training.studies.personal import (
    MIXES,
    Protocol,
    draw_notes,
    keep_known_speakers,
    measure_calibration,
    measure_corpus,
    measure_reference,
    read_scores,
)
from training.studies.personal.draws import share_labels
from training.studies.personal.trial import draw_all, draw_baseline, group_people, judge
from trends import (
    MIDDLE_MIX,
    BaselineRule,
    collect_notes,
    make_middle_mix_rule,
    measure_offset,
    read_baseline,
    relate_scores,
)

RULE = make_middle_mix_rule()
NOTE_BY_NOTE = BaselineRule(MIDDLE_MIX)


def make_corpus(*, n_people=8, per_label=5, shift=0.0, common=(0.0, 0.0, 0.0, 0.0), skill=2.0, seed=0, labels=range(4)):
    """People with a constant part of their log scores: `common` to all, and one of deviation `shift` of their own."""
    rng = np.random.default_rng(seed)
    offsets = rng.normal(0.0, 1.0, (n_people, 4)) * shift + np.array(common)
    truth = np.tile(np.repeat(list(labels), per_label), n_people)
    speaker = np.repeat(np.arange(n_people), per_label * len(labels))
    logits = skill * np.eye(4)[truth] + rng.normal(0, 0.6, (len(truth), 4)) + offsets[speaker]
    raised = np.exp(logits)
    return Predictions(
        LABELS,
        np.array([f"u{i}" for i in range(len(truth))]),
        np.array([f"A/{s:02d}" for s in speaker]),
        np.array(["0"] * len(truth)),
        truth,
        raised / raised.sum(axis=1, keepdims=True),
    ), offsets


def measure(predictions, *, rule=RULE, n_seeds=2, sizes=(0, 1, 10), **options):
    reference = measure_reference(make_corpus(seed=9, n_people=20)[0], rule)
    protocol = Protocol(n_notes=sizes, n_seeds=n_seeds, **options)
    found = measure_corpus("made-up", predictions, reference=reference, rules=[rule], protocol=protocol)
    return {(outcome.mix, outcome.n_notes): outcome for outcome in found}


def test_the_known_offset_of_each_person_is_found():
    people, offsets = make_corpus(n_people=4, per_label=60, shift=1.0)
    rule = replace(RULE, mix=dict.fromkeys(LABELS, 0.25), floor=1e-9, shrink_notes=1e-3)
    reference = measure_reference(make_corpus(seed=9, n_people=20, per_label=20)[0], rule)
    for person, rows in enumerate(group_people("a", people)):
        notes = collect_notes(people.probabilities[rows], rule, n_labels=4)
        found = np.array(measure_offset(notes, reference, rule).values)
        true = offsets[person]
        assert found - found.mean() == pytest.approx(true - true.mean(), abs=0.15)


def test_recall_rises_with_a_baseline_where_people_differ_and_hardly_moves_where_they_do_not():
    differ = measure(make_corpus(shift=1.5, seed=1)[0])
    alike = measure(make_corpus(shift=0.0, seed=1)[0])

    for mix in ("even", "70 % neutral"):
        recalls = [differ[mix, n].recalls[1] for n in (0, 1, 10)]
        assert recalls == sorted(recalls)
        assert recalls[-1] > recalls[0] + 0.1
        assert differ[mix, 0].recalls[1] == differ[mix, 0].recalls[0]
    assert alike["even", 10].recalls[1] == pytest.approx(alike["even", 10].recalls[0], abs=0.05)


def test_the_tenants_offset_helps_a_person_without_notes_where_all_share_one():
    shared = measure(make_corpus(common=(2.0, 0.0, -2.0, 0.0), n_people=20, seed=2)[0])["even", 0]

    assert shared.recalls[1] == shared.recalls[0]
    assert shared.recalls[2] > shared.recalls[0] + 0.1


def test_the_judged_person_and_those_of_other_models_are_not_in_the_tenants_offset():
    people, _ = make_corpus(n_people=2, common=(2.0, 0.0, -2.0, 0.0))
    alone = replace(people, folds=people.speakers)

    for outcome in measure(alone).values():
        assert outcome.recalls[1] == outcome.recalls[2]
        assert outcome.calibration_errors[1] == outcome.calibration_errors[2]
    together = measure(people)["even", 0]
    assert together.calibration_errors[1] != together.calibration_errors[2]


def test_a_baseline_of_one_emotion_only_costs_recall_and_note_by_note_much_less():
    people = make_corpus(per_label=12, seed=3, skill=3.0)[0]
    by_mix, by_note = (measure(people, rule=rule)["one emotion", 10] for rule in (RULE, NOTE_BY_NOTE))

    assert by_mix.recalls[1] < by_mix.recalls[0] - 0.1
    assert by_note.recalls[1] > by_mix.recalls[1] + 0.1


@pytest.mark.parametrize("rule", [RULE, NOTE_BY_NOTE])
def test_the_protocol_judges_as_the_product_relates(rule):
    people, _ = make_corpus(n_people=3, shift=1.0)
    reference = measure_reference(make_corpus(seed=9, n_people=20)[0], rule)
    draw = draw_all(people, group_people("a", people), mix="70 % neutral", protocol=Protocol(), seed=0)
    [(_, judged)] = judge("a", people, draw, reference=reference, rule=rule, sizes=(5,))

    for place, row in enumerate(judged.rows.tolist()):
        notes = collect_notes(people.probabilities[draw.drawn[row, :5]], rule, n_labels=4)
        offset = measure_offset(notes, reference, rule)
        assert judged.own[place] == pytest.approx(relate_scores(people.probabilities[[row]], offset, rule)[0])


def test_rules_judge_the_same_notes_with_the_same_baselines():
    people, _ = make_corpus(n_people=3, shift=1.0)
    reference = measure_reference(make_corpus(seed=9, n_people=20)[0], RULE)
    protocol = Protocol(n_notes=(0, 5), n_seeds=2)
    found = measure_corpus("a", people, reference=reference, rules=[RULE, RULE, NOTE_BY_NOTE], protocol=protocol)

    assert [outcome.rule for outcome in found[:6]] == [1, 1, 2, 1, 1, 2]
    assert found[3] == found[4]
    assert found[5].recalls[0] == found[3].recalls[0]
    assert found[5].neutral_share == found[3].neutral_share
    assert found[5].recalls[1] != found[3].recalls[1]


def test_calm_notes_and_those_called_something_else_with_certainty_are_counted():
    people, _ = make_corpus(n_people=2)
    neutral = LABELS.index("neutral")
    scores = np.full((len(people.truth), 4), 0.05)
    scores[:, neutral] = 0.85
    rows = np.flatnonzero(people.truth == neutral)
    scores[rows[0]] = [0.7, 0.1, 0.1, 0.1]
    scores[rows[1]] = [0.4, 0.2, 0.2, 0.2]

    outcome = measure(replace(people, probabilities=scores))["even", 0]

    assert outcome.calm[0] == pytest.approx(1 - 2 / len(rows))
    assert outcome.calm_certain_wrong[0] == pytest.approx(1 / len(rows))
    stricter = measure(replace(people, probabilities=scores), uncertain_below=0.8)["even", 0]
    assert stricter.calm_certain_wrong[0] == 0.0


def test_too_sharp_scores_get_a_temperature_that_the_other_corpora_name():
    corpora = {name: make_corpus(seed=seed, skill=1.0)[0] for name, seed in (("a", 1), ("b", 2), ("c", 3))}
    for name, people in corpora.items():
        raised = people.probabilities**6
        corpora[name] = replace(people, probabilities=raised / raised.sum(axis=1, keepdims=True))
    reference = measure_reference(make_corpus(seed=9, n_people=20)[0], RULE)

    found = measure_calibration(corpora, reference=reference, rules=[RULE], protocol=Protocol(n_notes=(0, 10)))

    absolute = {outcome.corpus: outcome for outcome in found if outcome.way == "absolute"}
    assert list(absolute) == ["a", "b", "c", "all"]
    assert all(outcome.temperature > 1.3 for outcome in absolute.values())
    assert all(outcome.ece_fitted < outcome.ece for outcome in absolute.values())
    assert {outcome.way for outcome in found} == {"absolute", "own", "own and tenant"}
    one = measure_calibration({"a": corpora["a"]}, reference=reference, rules=[RULE], protocol=Protocol())
    assert one == []


@pytest.mark.parametrize("mix", MIXES)
def test_the_judged_note_is_in_none_of_its_baselines(mix):
    people, _ = make_corpus(n_people=2, per_label=2)
    rng = np.random.default_rng(0)
    for rows in group_people("a", people):
        for row in rows.tolist():
            for _ in range(20):
                drawn = draw_baseline(people, rows, row, mix=mix, n_notes=30, rng=rng)
                assert row not in drawn
                assert set(drawn.tolist()) <= set(rows.tolist())


@pytest.mark.parametrize("mix", MIXES)
def test_all_baselines_of_a_draw_are_other_notes_of_the_same_speaker(mix):
    people, _ = make_corpus(n_people=3, per_label=4)
    draw = draw_all(people, group_people("a", people), mix=mix, protocol=Protocol(), seed=1)

    for row, drawn in enumerate(draw.drawn.tolist()):
        assert row not in drawn
        assert {people.speakers[other] for other in drawn} == {people.speakers[row]}


def test_a_note_that_is_its_speakers_only_one_of_an_emotion_has_no_baseline_of_that_emotion():
    found = measure(make_corpus(per_label=1)[0], sizes=(0, 1, 3))

    assert ("one emotion", 0) in found
    assert ("one emotion", 1) not in found
    # The other notes do not hold the judged emotion, so that a baseline meant to be even is drawn from three.
    assert found["even", 3].n_judged == 32


def test_notes_that_another_model_scored_are_no_baseline():
    people, _ = make_corpus(n_people=3)
    twice = Predictions(
        LABELS,
        np.concatenate([people.utterances] * 2),
        np.concatenate([people.speakers] * 2),
        np.repeat(["0", "1"], len(people.truth)),
        np.concatenate([people.truth] * 2),
        np.concatenate([people.probabilities] * 2),
    )

    groups = group_people("a", twice)

    assert len(groups) == 6
    assert all(len(set(twice.folds[rows].tolist())) == 1 for rows in groups)


def test_an_utterance_that_stands_twice_in_a_fold_is_refused():
    people, _ = make_corpus(n_people=1)
    names = people.utterances.copy()
    names[3] = names[1]

    with pytest.raises(ValueError, match="u1 2 times in fold 0"):
        measure(replace(people, utterances=names))


def test_a_person_with_fewer_notes_than_a_baseline_needs_is_not_judged_with_it():
    few, many = make_corpus(n_people=1, per_label=2)[0], make_corpus(n_people=1, per_label=5)[0]
    both = Predictions(
        LABELS,
        np.array([f"u{i}" for i in range(28)]),
        np.array(["A/few"] * 8 + ["A/many"] * 20),
        np.array(["0"] * 28),
        np.concatenate([few.truth, many.truth]),
        np.concatenate([few.probabilities, many.probabilities]),
    )

    found = measure(both)

    assert (found["even", 1].n_judged, found["even", 1].n_people) == (28, 2)
    assert (found["even", 10].n_judged, found["even", 10].n_people) == (20, 1)
    assert ("even", 30) not in measure(both, sizes=(0, 30))


def test_baselines_have_the_mix_they_are_named_after():
    found = measure(make_corpus(per_label=40, n_people=2)[0], n_seeds=1)

    shares = [found[mix, 10].neutral_share for mix in MIXES]
    assert shares == pytest.approx([0.25, 0.70, 0.91, 0.25], abs=0.04)


def test_a_person_of_one_emotion_has_baselines_of_that_one_in_every_mix():
    calm, _ = make_corpus(labels=[LABELS.index("neutral")], per_label=12)

    found = measure(calm)

    assert {outcome.neutral_share for (_, n), outcome in found.items() if n} == {1.0}
    # Their own baseline takes the emotion away; how much of it depends on the mix that the rule assumes.
    recalls = [
        measure(calm, rule=replace(RULE, mix=mix))["even", 10].recalls[1]
        for mix in (dict.fromkeys(LABELS, 0.25), MIDDLE_MIX, dict.fromkeys(LABELS, 0.1) | {"neutral": 0.7})
    ]
    assert recalls == sorted(recalls)
    assert recalls[-1] > recalls[0] + 0.2


@pytest.mark.parametrize("n_notes", [1, 5, 12])
def test_within_a_label_no_note_comes_twice_before_all_have_come(n_notes):
    truth = np.repeat(np.arange(4), 3)
    drawn = draw_notes(truth, np.eye(4)[2], n_notes=n_notes, rng=np.random.default_rng(5))

    counts = np.bincount(drawn, minlength=12)[6:9]
    assert counts.sum() == n_notes
    assert counts.max() - counts.min() <= 1


def test_unknown_mixes_and_labels_without_neutral_are_refused():
    with pytest.raises(ValueError, match="'mostly sad' is unknown"):
        share_labels("mostly sad", judged=0)
    with pytest.raises(ValueError, match="needs neutral"):
        share_labels("70 % neutral", judged=0, labels=("anger", "sadness"))


def test_the_same_seed_gives_the_same_figures():
    people, _ = make_corpus(n_people=3, shift=1.0)

    assert measure(people, seed=3) == measure(people, seed=3)
    assert measure(people, seed=3) != measure(people, seed=4)


@pytest.fixture
def files(tmp_path):
    for name, options in {"train": {"seed": 9}, "moved": {"shift": 1.5, "seed": 1}}.items():
        write_predictions(make_corpus(n_people=4, **options)[0], tmp_path / f"{name}.csv")
    return tmp_path


def call(files, *arguments):
    return CliRunner().invoke(cli, ["evaluate", "personal", "--reference", str(files / "train.csv"), *arguments])


def test_the_command_prints_every_corpus_and_their_mean(files):
    done = call(files, f"moved={files / 'moved.csv'}", f"same={files / 'train.csv'}", "--seeds", "1")

    assert done.exit_code == 0, done.exception
    assert "| moved | even | 10 |" in done.output
    assert "| 70 % neutral | 10 | 1 | 2 |" in done.output
    assert "| 70 % neutral | 10 | 2 | 2 |" in done.output
    assert "| own | 2 | all |" in done.output
    assert "version 2" in done.output


def test_the_command_says_what_ordinary_speech_is_called_where_its_speaker_is_known(files):
    calm = make_corpus(n_people=3, per_label=12, labels=[LABELS.index("neutral")])[0]
    unknown = replace(calm, speakers=np.full(len(calm.truth), "unknown"))
    for name, predictions in {"calm": calm, "nobody": unknown}.items():
        np.savez(
            files / f"{name}.npz",
            probabilities=predictions.probabilities,
            truth=predictions.truth,
            speakers=predictions.speakers,
            names=predictions.utterances,
        )
    ordinary = [option for name in ("calm", "nobody") for option in ("--ordinary", f"{name}={files / name}.npz")]
    done = call(files, f"a={files / 'moved.csv'}", "--seeds", "1", "--rule", "2", *ordinary)

    assert done.exit_code == 0, done.exception
    assert "| calm | 2 | 10 | 36 | 3 |" in done.output
    assert "nobody" not in done.output
    assert keep_known_speakers(unknown) is None


def test_arrays_give_the_same_scores_as_a_csv(files):
    people = read_scores(files / "train.csv")
    arrays = {"probabilities": people.probabilities, "truth": people.truth, "names": people.utterances}
    np.savez(files / "train.npz", speakers=people.speakers, **arrays)
    again = read_scores(files / "train.npz")

    assert (again.probabilities == people.probabilities).all()
    assert (again.speakers == people.speakers).all()
    np.savez(files / "half.npz", **arrays)
    (files / "none.npz").write_bytes(b"PK\x03\x04 and no more")
    for name, told in (("half", "needed are probabilities, truth, speakers"), ("none", "is no .npz")):
        with pytest.raises(ValueError, match=told):
            read_scores(files / f"{name}.npz")


def test_the_command_gives_what_a_manifest_carries_as_json(files):
    done = call(
        files, f"a={files / 'moved.csv'}", "--seeds", "1", "--json", "--assumed-neutral", "0.7", "--shrink-notes", "3"
    )

    printed = json.loads(done.output)
    baselines = [read_baseline(section, labels=LABELS) for section in printed["baselines"]]
    assert [baseline.rule.version for baseline in baselines] == [1, 2]
    assert baselines[1].rule.mix["neutral"] == 0.7
    assert baselines[1].rule.mix["anger"] == pytest.approx(0.1)
    assert baselines[1].rule.shrink_notes == 3.0
    assert printed["calibration"] == []
    assert {outcome["corpus"] for outcome in printed["outcomes"]} == {"a"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["x.csv"], "needed is NAME=FILE"),
        (["a=x.csv", "a=y.csv"], "each name once"),
        (["a=x.csv"], "x.csv"),
        (["a=x.csv", "--assumed-neutral", "1"], "--assumed-neutral 1.0"),
        (["a=x.csv", "--shrink-notes", "0"], "shrink_notes is 0.0"),
    ],
)
def test_wrong_use_of_the_command_is_told_in_a_sentence(files, arguments, told):
    error = call(files, *arguments).exception

    assert isinstance(error, TonalogError)
    assert told in str(error)
