"""Figures of left-out corpora by hand, and a calibration that is right about corpora whose truth is known."""

import io
from dataclasses import replace

import numpy as np
import pytest

from tests.unit.bundles import write_bundle
from tests.unit.left_out_trees import draw_scored, make_scored, write_signal
from tests.unit.sounds import make_silence, make_voice
from training.corpora import Kind
from training.data.files import hash_text
from training.measures.metrics import THRESHOLDS
from training.studies.left_out.calibrate import (
    MAX_WRONG,
    apply_temperature,
    calibrate,
    choose_limit,
    fit_temperature,
)
from training.studies.left_out.fingerprint import hash_there, list_sources
from training.studies.left_out.judge import JudgedBundle
from training.studies.left_out.measure import measure_labelled, measure_ordinary
from training.studies.left_out.notes import Unscored, weigh_windows
from training.studies.left_out.scores import Task, score_files
from training.studies.left_out.tables import format_report
from worker.scoring.bundle import load_bundle
from worker.scoring.pipeline import score_recording
from worker.scoring.scorer import Scorer

ANGRY, HAPPY, CALM, UNSURE = [0.8, 0.1, 0.1, 0.0], [0.1, 0.7, 0.1, 0.1], [0.0, 0.1, 0.9, 0.0], [0.1, 0.2, 0.3, 0.4]
ORDINARY = Kind.ASSUMED_NEUTRAL


def measure(scored, *, uncertain_below=0.5):
    return measure_labelled(scored, uncertain_below=uncertain_below, baseline=None, n_draws=1)


def test_a_recording_without_scores_counts_as_wrong():
    rows = [ANGRY, HAPPY, Unscored.GATE, CALM, UNSURE, Unscored.VAD]

    found = measure(make_scored("a", rows, [0, 0, 0, 2, 2, 2]))

    assert found.recalls == pytest.approx({"anger": 1 / 3, "neutral": 1 / 3})
    assert found.recall == pytest.approx(1 / 3)
    assert found.recall_of_scored == pytest.approx(1 / 2)
    assert (found.n, found.n_speakers, found.n_unscored) == (6, 6, 2)
    assert found.coverage == pytest.approx(3 / 6)
    assert found.error == pytest.approx(1 / 3)


def test_where_nothing_has_scores_or_is_certain_there_is_no_share_of_it():
    nothing = measure(make_scored("a", [Unscored.VAD] * 2, [0, 2]))
    unsure = measure(make_scored("a", [UNSURE] * 2, [0, 2]))

    assert (nothing.recall, nothing.recall_of_scored) == (0.0, 0.0)
    assert (nothing.calibration_error, nothing.coverage, nothing.error) == (None, 0.0, None)
    assert (unsure.coverage, unsure.error) == (0.0, None)


def test_the_interval_draws_speakers_and_needs_to_know_them():
    rows = [ANGRY, CALM] * 20
    truth = [0, 2] * 10 + [2, 0] * 10
    two = measure(make_scored("a", rows, truth, speakers=["x"] * 20 + ["y"] * 20))
    many = measure(make_scored("a", rows, truth))
    unknown = measure(make_scored("a", rows, truth, speakers=["everybody"] * 40, is_speaker_known=False))

    assert two.recall == many.recall == 0.5
    assert (two.interval.low, two.interval.high) == (0.0, 1.0)
    assert 0.3 < many.interval.low < 0.5 < many.interval.high < 0.7
    assert (unknown.interval, unknown.n_speakers) == (None, None)


def test_what_nobody_rated_is_not_measured_as_the_truth():
    with pytest.raises(ValueError, match="allowed is a labelled corpus"):
        measure(make_scored("fsdd", [CALM], [2], kind=ORDINARY))


def test_ordinary_speech_is_neutral_uncertain_or_certainly_something_else():
    rows = [CALM, UNSURE, ANGRY, HAPPY, [0.3, 0.1, 0.4, 0.2], Unscored.GATE, Unscored.SHORT, Unscored.VAD]
    durations_ms = [400, 399, 1200, 1201, 5000, 800, 800, 300]

    found = measure_ordinary(
        make_scored("fsdd", rows, [2] * 8, kind=ORDINARY, durations_ms=durations_ms), uncertain_below=0.5
    )

    everything, words = found.everything, found.words
    assert (everything.n, everything.n_scored) == (8, 5)
    assert (everything.vad, everything.short, everything.gate) == (1 / 8, 1 / 8, 1 / 8)
    assert (everything.neutral, everything.uncertain, everything.wrong) == (2 / 5, 2 / 5, 2 / 5)
    assert (words.n, words.n_scored, words.neutral, words.wrong) == (4, 2, 1 / 2, 1 / 2)
    assert (words.vad, words.short, words.gate) == (0, 1 / 4, 1 / 4)


def test_a_set_without_words_has_no_shares_of_them():
    words = measure_ordinary(make_scored("fsdd", [CALM], [2], kind=ORDINARY), uncertain_below=0.5).words

    assert (words.n, words.neutral, words.vad, words.short, words.gate) == (0, None, None, None, None)


@pytest.mark.parametrize("duration_s", [5.0, 8.5, 13.0, 16.3])
def test_windows_pool_to_the_scores_of_their_note_and_a_temperature_works_on_windows(tmp_path, duration_s):
    parts = [make_voice(duration_s / 2, seed=3), make_silence(1.0), make_voice(duration_s / 2, pitch_hz=230, seed=4)]
    path = write_signal(tmp_path / "note.wav", np.concatenate(parts))
    bundle = load_bundle(write_bundle(tmp_path / "tiny"))
    task = Task(path, hash_there(path))
    note = score_files(bundle, [task], folder=tmp_path, n_processes=1)[task.sha256]

    served = score_recording(io.BytesIO(path.read_bytes()), Scorer(bundle))
    assert note.scores == tuple(served.scores.values())
    assert weigh_windows(note).sum() == served.speech_ms
    scored = replace(make_scored("a", [note.scores], [0]), notes=(note,))
    assert apply_temperature(scored, 1.0) == pytest.approx(scored.probabilities, abs=1e-6)
    half = np.array(note.windows) ** 2
    by_hand = (half / half.sum(axis=1, keepdims=True) * weigh_windows(note)[:, None]).sum(axis=0)
    assert apply_temperature(scored, 0.5)[0] == pytest.approx(by_hand / by_hand.sum(), abs=1e-6)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.8])
def test_the_temperature_of_a_corpus_that_is_too_sure_or_too_unsure_is_found(temperature):
    corpus = draw_scored("a", n=6000, temperature=temperature)

    assert fit_temperature([corpus]) == pytest.approx(temperature, rel=0.06)
    (figures,) = calibrate([corpus], max_error=0.2).inside
    assert figures.calibration_error < 0.02


def test_a_large_corpus_counts_no_more_than_a_small_one_and_ordinary_speech_not_at_all():
    small, large = draw_scored("a", n=200, temperature=0.6), draw_scored("b", n=200, temperature=2.0, seed=1)
    repeated = replace(large, utterances=large.utterances * 20, notes=large.notes * 20)

    assert fit_temperature([small, repeated]) == pytest.approx(fit_temperature([small, large]), rel=1e-6)
    ordinary = draw_scored("c", n=900, temperature=3.0, kind=ORDINARY)
    assert calibrate([small, ordinary], max_error=0.2).chosen.temperature == round(fit_temperature([small]), 3)
    assert fit_temperature([large]) > fit_temperature([small, large]) > fit_temperature([small])


def test_the_limit_is_the_lowest_from_which_on_both_bounds_hold():
    corpora = [
        draw_scored("a", n=500),
        draw_scored("b", n=300, seed=1),
        draw_scored("fsdd", n=900, seed=2, kind=ORDINARY),
    ]
    limit = choose_limit(corpora, temperature=1.0, max_error=0.15)

    def holds(at):
        wrong, errors = [], []
        for one in corpora:
            sure, guess = one.probabilities.max(axis=1) >= at, one.probabilities.argmax(axis=1)
            if one.is_assumed:
                wrong.append(np.mean(sure & (guess != 2)))
            else:
                errors.append(np.mean(guess[sure] != one.truth[sure]))
        return np.mean(wrong) <= MAX_WRONG and np.mean(errors) <= 0.15

    kept = [at for at in THRESHOLDS if holds(at)]
    assert THRESHOLDS[0] < limit < THRESHOLDS[-1]
    assert limit == next(at for at in THRESHOLDS if all(other in kept for other in THRESHOLDS if other >= at))


def test_either_bound_alone_can_set_the_limit():
    labelled = draw_scored("a", n=1000)
    surely_wrong = make_scored("fsdd", [[0.805, 0.095, 0.1, 0.0]] * 10 + [CALM] * 90, [2] * 100, kind=ORDINARY)

    assert choose_limit([labelled, surely_wrong], temperature=1.0, max_error=0.99) == 0.81
    assert choose_limit([labelled], temperature=1.0, max_error=0.99) == THRESHOLDS[0]
    assert choose_limit([labelled], temperature=1.0, max_error=0.1) > 0.5


def test_where_no_limit_keeps_the_bounds_there_is_none_and_no_share_of_certain_labels():
    sure = [[1.0, 0.0, 0.0, 0.0]] * 10
    report = calibrate([draw_scored("a", n=50), make_scored("fsdd", sure, [2] * 10, kind=ORDINARY)], max_error=0.2)

    assert report.chosen.uncertain_below is None
    assert [(row.coverage, row.error, row.wrong) for row in report.inside] == [(None, None, None)] * 2


def test_a_corpus_left_out_of_the_choice_has_no_part_in_its_own_calibration():
    others = [draw_scored("a", n=200), draw_scored("b", n=200, seed=1), draw_scored("c", n=200, seed=2, kind=ORDINARY)]
    held, changed = (draw_scored("d", n=200, temperature=t, seed=3) for t in (1.0, 2.5))

    one, other = (calibrate([*others, last], max_error=0.2) for last in (held, changed))

    assert one.outside[-1].calibration == other.outside[-1].calibration
    assert one.outside[-1].calibration_error != other.outside[-1].calibration_error
    assert one.chosen != other.chosen
    assert one.outside[0].calibration != other.outside[0].calibration
    assert [row.name for row in one.outside] == ["a", "b", "c", "d"]


def test_with_one_labelled_corpus_only_ordinary_speech_can_be_left_out():
    report = calibrate([draw_scored("a", n=200), draw_scored("c", n=90, kind=ORDINARY)], max_error=0.2)

    assert [row.name for row in report.inside] == ["a", "c"]
    assert [row.name for row in report.outside] == ["c"]


@pytest.mark.parametrize(
    ("corpora", "max_error", "words"),
    [
        ([], 0.2, "0 labelled corpora"),
        ([draw_scored("c", n=20, kind=ORDINARY)], 0.2, "0 labelled corpora"),
        ([make_scored("a", [Unscored.VAD], [0])], 0.2, "0 labelled corpora"),
        ([draw_scored("a", n=20)], 0.0, "over 0 and under 1"),
    ],
)
def test_a_calibration_needs_a_labelled_corpus_and_a_bound(corpora, max_error, words):
    with pytest.raises(ValueError, match=words):
        calibrate(corpora, max_error=max_error)


def test_a_bundle_that_pools_in_another_way_is_not_calibrated():
    corpus = draw_scored("a", n=3)
    note = replace(corpus.notes[0], windows=(tuple(ANGRY), tuple(CALM)), window_ms=(8000, 8000), speech_ms=9000)

    with pytest.raises(ValueError, match="hop_ms = window_ms"):
        calibrate([replace(corpus, notes=(note, *corpus.notes[1:]))], max_error=0.2)


def test_the_printed_mean_and_worst_are_those_of_what_was_left_out():
    corpora = [
        make_scored("a", [ANGRY, CALM], [0, 2]),
        make_scored("b", [ANGRY, CALM], [0, 0]),
        make_scored("c | d", [ANGRY, CALM], [2, 0], is_trained=True),
    ]
    labelled = tuple(map(measure, corpora))
    lines = format_report([JudgedBundle("tiny 1", "folder", "0" * 64, 0.5, ("c",), None, labelled, (), {}, None)])

    cells = {line.split(" | ")[0].strip("| "): line.split(" | ")[6] for line in lines if line.startswith("| ")}
    assert (cells["a"], cells["b"]) == ("1.000", "0.500")
    assert (cells["**mean of 2 left out**"], cells["**worst**"]) == ("0.750", "0.500")
    assert any(line.startswith("| c \\| d (trained on) | 2 |") for line in lines)


def test_no_two_lists_of_texts_are_the_same_bytes():
    assert len({hash_text(*texts) for texts in (["ab", "c"], ["a", "bc"], ["abc"], ["abc", ""])}) == 4


def test_scores_depend_on_the_code_of_every_step_of_serving():
    steps = {f"worker.audio/{step}.py" for step in ("decode", "resample", "vad", "windows", "frontend")}
    steps |= {f"worker.scoring/{step}.py" for step in ("pipeline", "scorer", "session", "pooling", "manifest")}

    assert steps | {"worker.audio/decoders/__init__.py"} <= set(list_sources())
