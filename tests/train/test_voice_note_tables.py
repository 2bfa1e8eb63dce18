"""The tables of voice notes from made-up windows: what each note comes to, and that every table and the picture can be made."""

from xml.etree import ElementTree as ET

import numpy as np
import pytest
import torch

from training.corpora import LABELS
from training.studies.voice_notes import scores, tables
from training.studies.voice_notes.encode import Encoded
from training.studies.voice_notes.experiment import picture
from training.studies.voice_notes.scores import NO_SCORE, POOLINGS, judge_speakers, pool_windows
from training.studies.voice_notes.tasks import MIXED, list_tasks

N_WINDOWS = 2


def make_encoded(seed):
    """Two windows a task whose statistics are the label that is spoken in them, so that a head can be right."""
    rng, tasks = np.random.default_rng(seed), list_tasks()
    spoken = [LABELS.index(task.emotion) if task.emotion != MIXED else 0 for task in tasks for _ in range(N_WINDOWS)]
    n_rows = len(spoken)
    true_ms = np.zeros((n_rows, 4), dtype=np.int64)
    true_ms[np.arange(n_rows), spoken] = rng.integers(600, 8000, n_rows)
    return Encoded(
        statistics=np.eye(4, dtype=np.float32)[spoken],
        speech=rng.random(n_rows),
        row=np.arange(n_rows),
        task=np.repeat(np.arange(len(tasks)), N_WINDOWS),
        window_ms=np.full((n_rows, 3), 8000),
        true_ms=true_ms,
        note_ms=np.full((6, 2), 30_000),
    )


@pytest.fixture
def judged(monkeypatch):
    monkeypatch.setattr(scores, "N_DRAWS", 5)
    encoded = {speaker: make_encoded(seed) for seed, speaker in enumerate(("1001", "1002"))}
    right, wrong = torch.nn.Linear(4, 4, bias=False), torch.nn.Linear(4, 4, bias=False)
    with torch.no_grad():
        right.weight.copy_(5.0 * torch.eye(4))
        wrong.weight.copy_(5.0 * torch.eye(4).roll(1, dims=0))
    return judge_speakers(encoded, {"1001": right, "1002": wrong}, temperature=1.0)


def test_a_note_is_called_by_its_head_and_half_of_them_rightly(judged):
    outcomes = tables.collect(judged, "ours", tables.PLAYED[0])

    assert len(outcomes) == 2 * len(LABELS)
    assert all((outcome.guess == outcome.truth) == (outcome.speaker == "1001") for outcome in outcomes)
    assert scores.measure_ua(outcomes) == 0.5
    assert tables.describe(outcomes, scores.measure_ua).startswith("0.50 [")


def test_a_gate_that_turns_every_window_away_leaves_no_score(judged):
    for one in judged.values():
        one.speech[:] = 0.0

    outcomes = tables.collect(judged, "none", tables.PLAYED[0], is_gated=True)

    assert {outcome.guess for outcome in outcomes} == {NO_SCORE}


def test_mixed_notes_count_windows_by_what_is_spoken_in_them(judged):
    found = {note.speaker: note for note in scores.collect_mixed(judged, "ours", 8000)}

    assert (found["1001"].n_right, found["1001"].n_windows) == (N_WINDOWS, N_WINDOWS)
    assert found["1002"].n_right == 0
    assert found["1001"].share_error < 0.1 < found["1002"].share_error


@pytest.mark.parametrize("pooling", POOLINGS)
def test_pooling_a_constant_gives_the_constant_and_no_window_gives_nothing(pooling):
    row = np.array([0.1, 0.2, 0.3, 0.4])

    assert pool_windows(np.stack([row] * 3), np.array([1.0, 0.0, 2.0]), pooling) == pytest.approx(row)
    assert not pool_windows(np.zeros((0, 4)), np.zeros(0), pooling).any()


def test_weighted_pooling_is_servings_and_where_nothing_weighs_all_weigh_the_same():
    rows = np.array([[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]])

    assert pool_windows(rows, np.array([3.0, 1.0]), "speech") == pytest.approx([0.75, 0.0, 0.0, 0.25])
    assert pool_windows(rows, np.zeros(2), "speech") == pytest.approx([0.5, 0.0, 0.0, 0.5])


@pytest.mark.parametrize(
    "make",
    [
        tables.tabulate_ua,
        tables.tabulate_shares,
        tables.tabulate_differences,
        tables.tabulate_bias,
        tables.tabulate_dose,
        tables.tabulate_windows,
        tables.tabulate_poolings,
        tables.tabulate_mixed,
    ],
)
def test_every_row_of_every_table_has_a_cell_for_every_column(judged, make):
    rows = make(judged).split("\n")

    assert len(rows) > 3
    assert len({row.count("|") for row in rows}) == 1


def test_the_picture_is_well_formed_and_has_a_bar_for_every_detector(judged):
    words = [text.text for text in ET.fromstring(picture(judged)).iter() if text.tag.endswith("text")]

    assert {"no detector", "ours", "oracle", "no score"} <= set(words)
