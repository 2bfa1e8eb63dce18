"""What an evaluation says of arousal and valence: by label and by listeners, on CREMA-D and on EmoDB."""

import csv
from dataclasses import replace

import numpy as np
import pytest

from training.bundle.stages import BundleSteps
from training.corpora import LABELS
from training.corpora.votes import VOTES_FILE
from training.fitting.plan import Plan
from training.fitting.presets import SMOKE
from training.measures import metrics
from training.measures.predictions import Predictions, write_predictions
from training.studies.dimensions import CREMA_D, measure_dimensions
from training.studies.folds import read_left_out

TEMPERATURE = 2.0
EMODB = "EmoDB, left out"
BY_LABEL = ["arousal: AUC by label", "valence: AUC by label"]
BY_VOTES = ["arousal: correlation with votes", "valence: correlation with votes"]
N_ROWS = 120


def draw(seed):
    rng = np.random.default_rng(seed)
    truth = np.arange(N_ROWS) % 4
    return truth, rng.normal(size=(N_ROWS, 4)) + 1.5 * np.eye(4)[truth]


NAMES, SPEAKERS = (
    np.array([f"{word}-{row}" for row in rows])
    for word, rows in (("clip", range(N_ROWS)), ("actor", np.arange(N_ROWS) % 7))
)


@pytest.fixture
def plan(tmp_path):
    corpora = tuple((name, str(tmp_path)) for name in ("crema-d", "emodb", "fsdd", "mycroft-precise"))
    return Plan(corpora, "speakers", "whisper-base", SMOKE, pretrained="encoder", pretrained_sha256="0" * 64)


def measure(plan, net, predictions):
    return measure_dimensions(BundleSteps(plan, plan.find_source()), {"emodb": net}, predictions, TEMPERATURE)


@pytest.fixture
def predictions(tmp_path):
    truth, logits = draw(0)
    chances = metrics.apply_softmax(logits, TEMPERATURE)
    path = tmp_path / "predictions.csv"
    write_predictions(Predictions(LABELS, NAMES, SPEAKERS, np.full(N_ROWS, "fold 0"), truth, chances), path)
    return path


@pytest.fixture
def net(tmp_path):
    """A net that was tuned without EmoDB and judged on it."""
    folder = tmp_path / "without-emodb"
    folder.mkdir()
    truth, logits = draw(0)
    parts = {"logits": logits, "truth": truth, "names": NAMES, "speakers": SPEAKERS}
    np.savez(folder / "judged.npz", **{f"clean/{name}": part for name, part in parts.items()})
    return folder


def write_votes(folder, counts):
    with (folder / VOTES_FILE).open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("name", *LABELS))
        rows.writerows((name, *row) for name, row in zip(NAMES, counts, strict=True))


def name_rows(found):
    return [(one["corpus"], one["measure"]) for one in found]


def test_without_votes_their_rows_are_left_out_and_with_them_they_stand(plan, predictions, net, tmp_path):
    without = measure(plan, net, predictions)
    truth, _ = draw(0)
    write_votes(tmp_path, np.eye(4, dtype=int)[truth])
    given = measure(plan, net, predictions)

    labels, foreign = [(CREMA_D, name) for name in BY_LABEL], [(EMODB, name) for name in BY_LABEL]
    assert name_rows(without) == [*labels, *foreign]
    assert name_rows(given) == [*labels, *((CREMA_D, name) for name in BY_VOTES), *foreign]


def test_votes_that_the_recipe_needs_must_be_there(plan, predictions, net):
    needing = replace(
        plan, recipe=replace(SMOKE, stages=replace(SMOKE.stages, tune=replace(SMOKE.stages.tune, votes=0.3)))
    )

    with pytest.raises(FileNotFoundError, match=VOTES_FILE):
        measure(needing, net, predictions)


def test_each_value_lies_in_its_interval_and_counts_its_utterances(plan, predictions, net):
    found = measure(plan, net, predictions)

    assert [one["n_utterances"] for one in found] == [N_ROWS, N_ROWS * 3 // 4] * 2
    for one in found:
        assert 0.5 < one["low"] < one["value"] < one["high"] < 1.0


def test_a_corpus_that_was_left_out_is_scored_at_the_shipped_temperature(net):
    _, logits = draw(0)

    found = read_left_out(net, TEMPERATURE)

    assert found.probabilities == pytest.approx(metrics.apply_softmax(logits, TEMPERATURE))
