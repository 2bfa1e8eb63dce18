"""A report's figures agree with each other, and its page needs nothing but itself."""

import csv
import json
import re
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from training.corpora import LABELS, Corpus, Utterance
from training.measures import (
    Predictions,
    collect_predictions,
    read_predictions,
    summarise,
    write_predictions,
    write_report,
)
from training.measures.__main__ import main
from training.measures.arousal import analyse_arousal, has_arousal
from training.measures.bootstrap import count_by_speaker, draw_confusions
from training.protocols import Protocol, cross_validate_speakers

FEW = 100  # draws are a matter of precision, and tests ask for none
PROTOCOL = Protocol("strict leave-one-session-out", "made up", ())


def make_predictions(*, n=400, n_speakers=10, skill=1.5, seed=0):
    """Random scores that lean to the truth; two speakers a fold."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 4, n)
    raised = np.exp(rng.normal(0.0, 1.0, (n, 4)) + skill * np.eye(4)[truth])
    speakers = np.arange(n) % n_speakers
    return Predictions(
        LABELS,
        np.array([f"u{i}" for i in range(n)]),
        np.array([f"A/{s:02d}" for s in speakers]),
        np.array([f"fold {s // 2}" for s in speakers]),
        truth,
        raised / raised.sum(axis=1, keepdims=True),
    )


def make_perfect():
    predictions = make_predictions()
    return replace(predictions, probabilities=np.eye(4)[predictions.truth])


def summarise_fast(predictions, *, seed=0):
    return summarise(predictions, seed=seed, n_draws=FEW)


def figures_of(summary):
    return {measure.name: measure for measure in summary.measures}


def test_a_perfect_classifier_has_ones_and_no_deviation():
    summary = summarise_fast(make_perfect())

    for name in ("WA", "UA", "macro F1", *(f"F1 {label}" for label in LABELS)):
        measure = figures_of(summary)[name]
        assert (measure.mean, measure.deviation, measure.pooled) == (1.0, 0.0, 1.0)
        assert (measure.interval.low, measure.interval.high) == (1.0, 1.0)
    assert figures_of(summary)["ECE"].pooled == 0.0
    assert summary.arousal.n_errors == 0


def test_the_mean_of_a_measure_is_that_of_its_folds():
    summary = summarise_fast(make_predictions())

    for measure in summary.measures:
        values = [fold.figures[measure.name] for fold in summary.folds]
        assert measure.mean == pytest.approx(np.mean(values))
        assert measure.deviation == pytest.approx(np.std(values, ddof=1))
    assert len(summary.folds) == 5


def test_confusion_matrices_of_folds_add_up_to_the_pooled_one():
    summary = summarise_fast(make_predictions())

    added = np.sum([fold.confusion for fold in summary.folds], axis=0)

    assert added.tolist() == [list(row) for row in summary.confusion]
    assert added.sum() == summary.n_utterances == 400


def test_bins_of_confidence_hold_every_prediction_and_give_the_calibration_error():
    summary = summarise_fast(make_predictions())

    gaps = [abs(one.confidence - one.accuracy) * one.n_utterances for one in summary.reliability]

    assert sum(one.n_utterances for one in summary.reliability) == summary.n_utterances
    assert sum(gaps) / summary.n_utterances == pytest.approx(figures_of(summary)["ECE"].pooled)


def test_the_pooled_figure_lies_in_its_interval():
    for measure in summarise_fast(make_predictions()).measures:
        if measure.interval is not None:
            assert measure.interval.low <= measure.pooled <= measure.interval.high


def test_intervals_are_the_same_for_the_same_seed_only():
    predictions = make_predictions()

    assert summarise_fast(predictions, seed=1) == summarise_fast(predictions, seed=1)
    assert summarise_fast(predictions, seed=1).measures != summarise_fast(predictions, seed=2).measures


def test_intervals_widen_when_speakers_and_not_utterances_are_few():
    many, few = (make_predictions(n=1000, n_speakers=n) for n in (100, 10))
    # Half of the speakers are always guessed right.
    many, few = (
        replace(one, probabilities=np.where((number % 2 == 0)[:, None], np.eye(4)[one.truth], one.probabilities))
        for one, number in ((p, np.array([int(s[2:]) for s in p.speakers])) for p in (many, few))
    )

    wide, narrow = (figures_of(summarise_fast(one))["WA"].interval for one in (few, many))

    assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)


def test_drawn_speakers_keep_their_confusions_whole():
    by_speaker = count_by_speaker(make_predictions(n_speakers=3))

    drawn = draw_confusions(by_speaker[:1], seed=0, n_draws=5)

    assert (drawn == by_speaker[0]).all()


def test_one_speaker_and_one_fold_have_neither_interval_nor_deviation():
    summary = summarise_fast(make_predictions(n_speakers=1))

    assert all(measure.interval is None and measure.deviation is None for measure in summary.measures)


@pytest.mark.parametrize(
    ("truth", "guess", "within"),
    [
        ("anger", "happiness", 1.0),
        ("neutral", "sadness", 1.0),
        ("happiness", "sadness", 0.0),
        ("sadness", "anger", 0.0),
    ],
)
def test_an_error_stays_within_its_arousal_or_leaves_it(truth, guess, within):
    confusion = np.zeros((4, 4), dtype=np.int64)
    confusion[LABELS.index(truth), LABELS.index(guess)] = 7

    found = analyse_arousal(confusion, LABELS)

    assert (found.within, found.across, found.n_errors) == (within, 1.0 - within, 7)
    assert found.accuracy == within


def test_errors_spread_evenly_stay_within_arousal_in_a_third():
    found = analyse_arousal(np.full((4, 4), 5), LABELS)

    assert found.within == pytest.approx(found.expected_within) == pytest.approx(1 / 3)
    assert found.within_high + found.within_low + found.across == pytest.approx(1.0)


def test_labels_without_arousal_have_no_arousal_analysis():
    predictions = replace(make_predictions(), labels=("anger", "happiness", "neutral", "surprise"))

    assert not has_arousal(predictions.labels)
    assert summarise_fast(predictions).arousal is None


@pytest.mark.parametrize(
    ("rows", "expectation"),
    [
        ([[0.25, 0.25, 0.25, 0.25]], nullcontext()),
        ([[0.5, 0.5, 0.5, 0.5]], pytest.raises(ValueError, match="no distribution")),
        ([[1.5, -0.5, 0.0, 0.0]], pytest.raises(ValueError, match="no distribution")),
        ([[float("nan"), 0.5, 0.5, 0.0]], pytest.raises(ValueError, match="no distribution")),
        ([[0.5, 0.5]], pytest.raises(ValueError, match="4 probabilities a row")),
    ],
)
def test_only_distributions_are_predictions(rows, expectation):
    with expectation:
        Predictions(LABELS, np.array(["u"]), np.array(["s"]), np.array(["f"]), np.array([0]), np.array(rows))


def test_a_truth_outside_of_the_labels_is_refused():
    with pytest.raises(ValueError, match="truth 4 of u; allowed are 0 to 3"):
        Predictions(LABELS, np.array(["u"]), np.array(["s"]), np.array(["f"]), np.array([4]), np.full((1, 4), 0.25))


def test_predictions_are_the_same_after_being_written_and_read(tmp_path):
    predictions = make_predictions(n=20)

    write_predictions(predictions, tmp_path / "predictions.csv")
    read = read_predictions(tmp_path / "predictions.csv")

    assert read.labels == predictions.labels
    for name in ("utterances", "speakers", "folds", "truth"):
        assert (getattr(read, name) == getattr(predictions, name)).all()
    assert np.abs(read.probabilities - predictions.probabilities).max() <= 1e-6


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("utterance,speaker,truth,anger\n", "needed are utterance, speaker, fold, truth"),
        ("utterance,speaker,fold,truth\n", "and one a label"),
        ("utterance,speaker,fold,truth,anger\nu,s,f,fear,1.0\n", "truth 'fear'; allowed are anger"),
        ("utterance,speaker,fold,truth,anger\n", "rows"),
    ],
)
def test_a_file_that_holds_no_predictions_is_refused(text, said, tmp_path):
    (tmp_path / "predictions.csv").write_text(text)

    with pytest.raises(ValueError, match=said):
        read_predictions(tmp_path / "predictions.csv")


def make_protocol():
    utterances = tuple(
        Utterance(Path(f"{s}{i}.wav"), f"{s}{i}", str(s), LABELS[i], "A") for s in range(6) for i in range(len(LABELS))
    )
    return cross_validate_speakers([Corpus("A", utterances)], n_folds=3)


def test_predictions_of_a_protocol_take_names_and_truth_from_its_splits():
    protocol = make_protocol()
    sure = [np.eye(4)[[LABELS.index(u.label) for u in split.test]] for split in protocol.splits]

    predictions = collect_predictions(protocol, sure)

    assert (predictions.guess == predictions.truth).all()
    assert sorted(set(predictions.folds)) == ["fold 0", "fold 1", "fold 2"]
    assert sorted(set(predictions.speakers)) == [f"A/{s}" for s in range(6)]


def test_a_split_without_its_predictions_is_refused():
    with pytest.raises(ValueError, match=r"\[8, 8\] rows of probabilities, the splits test \[8, 8, 8\]"):
        collect_predictions(make_protocol(), [np.full((8, 4), 0.25)] * 2)


def test_the_page_is_whole_and_asks_for_nothing_from_outside(tmp_path):
    write_report(make_predictions(), tmp_path, title="A <b>bold</b> & model", protocol=PROTOCOL, n_draws=FEW)

    page = (tmp_path / "report.html").read_text()

    assert re.findall(r"(?:(?:src|href)\s*=|@import|url\()", page) == []
    assert "https:" not in page
    assert "http:" not in page
    assert "A &lt;b&gt;bold&lt;/b&gt; &amp; model" in page
    assert "<b>bold" not in page


def test_every_picture_is_well_formed_and_there_is_one_of_each_fold(tmp_path):
    write_report(make_predictions(), tmp_path, title="t", protocol=PROTOCOL, n_draws=FEW)

    pictures = re.findall(r"<svg.*?</svg>", (tmp_path / "report.html").read_text(), flags=re.DOTALL)

    names = [ET.fromstring(picture).attrib["aria-label"] for picture in pictures]
    assert names.count("confusion matrix") == 1 + 5
    assert {"F1 by label", "errors by arousal", "reliability"} <= set(names)


@pytest.mark.parametrize("is_independent", [True, False])
def test_a_report_warns_exactly_when_speakers_are_on_both_sides(is_independent, tmp_path):
    protocol = replace(PROTOCOL, is_speaker_independent=is_independent)

    write_report(make_predictions(), tmp_path, title="t", protocol=protocol, n_draws=FEW)

    page = (tmp_path / "report.html").read_text()
    assert ("Speaker-dependent: the tested people were also trained on" in page) is not is_independent
    assert json.loads((tmp_path / "report.json").read_text())["is_speaker_independent"] is is_independent


def test_the_json_says_what_the_summary_says(tmp_path):
    summary = write_report(make_predictions(), tmp_path, title="t", protocol=PROTOCOL, n_draws=FEW)

    written = json.loads((tmp_path / "report.json").read_text())

    assert written["protocol"] == PROTOCOL.name
    assert [one["mean"] for one in written["measures"]] == [one.mean for one in summary.measures]
    assert written["confusion"] == [list(row) for row in summary.confusion]
    assert written["arousal"]["within"] == summary.arousal.within


def test_a_model_that_makes_no_error_has_a_page_too(tmp_path):
    write_report(make_perfect(), tmp_path, title="t", protocol=PROTOCOL, n_draws=FEW)

    assert "0 errors" in (tmp_path / "report.html").read_text()


def test_the_command_writes_both_files_and_prints_the_measures(tmp_path, monkeypatch, capsys):
    write_predictions(make_predictions(), tmp_path / "predictions.csv")
    out = tmp_path / "report"
    monkeypatch.setattr(
        sys, "argv", ["report", str(tmp_path / "predictions.csv"), "--out", str(out), "--speaker-dependent"]
    )

    main()

    assert {path.name for path in out.iterdir()} == {"report.html", "report.json"}
    assert "UA" in capsys.readouterr().out
    assert "Speaker-dependent" in (out / "report.html").read_text()


HOSTILE = ["=HYPERLINK(1)", "+1", "-1", "@SUM(A1)", "\tx", "'=1", "'", "<script>alert(1)</script>", '"><b>', "plain"]


def make_hostile():
    """Predictions whose utterances, speakers and folds are called what harms a reader."""
    predictions = make_predictions(n=len(HOSTILE) * 4)
    names = np.array(HOSTILE * 4)
    unique = np.array([f"{name}{n}" for n, name in enumerate(names)])
    return replace(predictions, utterances=unique, speakers=names, folds=names)


def test_no_name_is_a_formula_in_a_spreadsheet_and_each_is_read_as_it_was(tmp_path):
    predictions = make_hostile()

    write_predictions(predictions, tmp_path / "p.csv")

    cells = [cell for row in csv.reader((tmp_path / "p.csv").open(newline="")) for cell in row]
    assert [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))] == []
    back = read_predictions(tmp_path / "p.csv")
    for field in ("utterances", "speakers", "folds"):
        assert getattr(back, field).tolist() == getattr(predictions, field).tolist()


def test_no_name_is_a_tag_in_a_page(tmp_path):
    protocol = replace(PROTOCOL, name=HOSTILE[-3], description=HOSTILE[-2])

    write_report(make_hostile(), tmp_path, title=HOSTILE[-3], protocol=protocol, n_draws=FEW)

    page = (tmp_path / "report.html").read_text()
    assert "<script>" not in page
    assert '"><b>' not in page.replace('class="lead"><b>', "")
    assert "&lt;script&gt;" in page


def test_a_page_may_run_no_script_and_load_nothing_whatever_is_in_it(tmp_path):
    write_report(make_hostile(), tmp_path, title="t", protocol=PROTOCOL, n_draws=FEW)

    (policy,) = re.findall(
        r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', (tmp_path / "report.html").read_text()
    )
    assert policy.split("; ") == ["default-src 'none'", "style-src 'unsafe-inline'"]


def test_names_that_no_encoding_has_are_written_and_read(tmp_path):
    predictions = make_hostile()
    strange = replace(predictions, speakers=np.array([f"\udcff{name}\u202e" for name in predictions.speakers]))

    write_predictions(strange, tmp_path / "p.csv")
    write_report(strange, tmp_path, title="\udcff\u202e", protocol=PROTOCOL, n_draws=FEW)

    assert read_predictions(tmp_path / "p.csv").speakers.tolist() == strange.speakers.tolist()
    assert "\u202e" not in (tmp_path / "report.html").read_text()
