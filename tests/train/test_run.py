"""From an IEMOCAP-shaped tree to scores: train, interrupt, resume, report, evaluate, export and score by the command."""

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from corpus_trees import write_crema_d, write_iemocap, write_sound

from tonalog.cli import cli
from training.bundle.parity import ParityError
from training.corpora import load_corpus
from training.fitting.plan import Plan, PlanMismatch, read_plan, write_plan
from training.fitting.presets import find_recipe, leave_out
from training.fitting.run import run_plan
from training.measures import read_predictions
from training.protocols.leaks import LeakError

ROOT = Path(__file__).resolve().parents[2]

SWIFT = ("--backbone", "light-sernet", "--recipe", "paper", "--without", "pitch", "--epochs", "2", "--batch-size", "32")


def write_emodb(root):
    for index, name in enumerate(f"{speaker}a01{emotion}a" for speaker in ("03", "08") for emotion in "WFNT"):
        write_sound(root / "wav" / f"{name}.wav", 20_000 + index)
    return root


def call(*arguments):
    return CliRunner().invoke(cli, [str(one) for one in arguments])


def succeed(*arguments):
    result = call(*arguments)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output


@pytest.fixture(scope="module")
def trees(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpora")
    return {
        "iemocap": write_iemocap(folder / "iemocap"),
        "crema-d": write_crema_d(folder / "crema-d"),
        "emodb": write_emodb(folder / "emodb"),
    }


@pytest.fixture(scope="module")
def run(trees, tmp_path_factory):
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("runs") / "paper"
    corpora = [f"{name}={trees[name]}" for name in ("iemocap", "crema-d")]
    printed = succeed("train", *corpora, *SWIFT, "--protocol", "loso", "--out", out)
    return out, printed


def test_every_session_is_tested_once_and_the_further_corpus_never(run):
    out, _ = run
    predictions = read_predictions(out / "predictions.csv")
    assert len(set(predictions.folds)) == 5
    assert len(set(predictions.utterances)) == len(predictions.utterances)
    assert not any("CREMA" in speaker for speaker in predictions.speakers)


def test_the_run_prints_and_writes_its_measures(run):
    out, printed = run
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert report["protocol"] == "strict leave-one-session-out"
    for one in report["measures"]:
        assert one["name"] in printed
    assert (out / "report.html").stat().st_size > 1000


def test_a_finished_run_resumes_to_the_same_measures_without_training(run):
    out, printed = run
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*.pt")}
    again = succeed("train", "--resume", "--out", out)
    assert again.splitlines()[-8:] == printed.splitlines()[-8:]
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.pt")} == times


def test_some_folds_are_trained_and_reported_first_and_the_others_by_resuming(trees, tmp_path):
    torch.set_num_threads(1)
    out = tmp_path / "some"
    swift = (*SWIFT[:6], "--epochs", "1", "--batch-size", "32", "--protocol", "loso")
    succeed("train", f"iemocap={trees['iemocap']}", *swift, "--folds", "3,1", "--out", out)
    assert {path.name for path in out.glob("fold-*")} == {"fold-1", "fold-3"}
    first = read_predictions(out / "predictions.csv")
    assert len(set(first.folds)) == 2

    succeed("train", "--resume", "--out", out)
    assert len(list(out.glob("fold-*"))) == 5
    assert set(first.folds) < set(read_predictions(out / "predictions.csv").folds)


def test_a_fold_that_the_protocol_has_not_is_refused_before_anything_is_written(trees, tmp_path):
    plan = Plan((("crema-d", str(trees["crema-d"])),), "production", "light-sernet", find_recipe("paper"))
    with pytest.raises(ValueError, match=r"folds \[4\], allowed are one or more of 0 to 0"):
        run_plan(plan, [load_corpus("crema-d", trees["crema-d"])], tmp_path / "out", folds=[4])
    assert not (tmp_path / "out").exists()


def test_a_run_is_not_trained_over_by_mistake(run, trees):
    out, _ = run
    result = call("train", f"iemocap={trees['iemocap']}", *SWIFT, "--protocol", "loso", "--out", out)
    assert "--resume" in str(result.exception)
    with pytest.raises(PlanMismatch, match="seed"):
        write_plan(Plan(**{**vars(read_plan(out)), "seed": 9}), out)


def test_another_corpus_is_scored_by_every_net(run, trees):
    out, _ = run
    succeed("evaluate", "run", out, f"emodb={trees['emodb']}")
    predictions = read_predictions(out / "emodb" / "predictions.csv")
    assert len(set(predictions.folds)) == 5
    assert json.loads((out / "emodb" / "report.json").read_text(encoding="utf-8"))["protocol"] == "cross-corpus"


def test_a_corpus_that_was_trained_on_is_not_called_another_one(run, trees):
    result = call("evaluate", "run", run[0], f"crema-d={trees['crema-d']}")
    assert isinstance(result.exception, LeakError)


def test_the_measures_of_a_run_are_printed_again(run):
    assert "macro F1" in succeed("evaluate", "run", run[0])


def test_a_fold_becomes_a_bundle_that_scores_a_note(run, tmp_path):
    target = tmp_path / "models" / "light-0.0.1"
    loose = ("--max-ua-drop", "1", "--min-same-label", "0", "--without-gate")
    succeed("bundle", run[0], "--out", target, "--version", "0.0.1", "--fold", "1", *loose)
    note = min((ROOT / "examples" / "notes").rglob("*.ogg"))
    row = json.loads(succeed("score", "--json", "--model", target, note))
    assert row["model"] == {"name": "light", "version": "0.0.1"}
    assert row["status"] == "scored"
    assert sum(row["scores"].values()) == pytest.approx(1.0)
    manifest = json.loads((target / "manifest.json").read_text(encoding="utf-8"))
    assert [one["name"] for one in manifest["training"]["corpora"]] == ["IEMOCAP", "CREMA-D"]
    assert manifest["front_end"] == {"peak": 0.95, "pre_emphasis": 0.97, "trim_top_db": 20.0}


def test_an_export_beyond_its_gate_leaves_nothing_behind(run, tmp_path):
    target = tmp_path / "light-1"
    result = call("bundle", run[0], "--out", target, "--version", "1", "--min-same-label", "1.1", "--without-gate")
    assert isinstance(result.exception, ParityError)
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_was_interrupted_ends_as_if_it_had_not_been(trees, tmp_path):
    recipe = leave_out(find_recipe("paper", epochs=2, batch_size=32), ["pitch"])
    plan = Plan((("crema-d", str(trees["crema-d"])),), "production", "light-sernet", recipe)
    corpora = [load_corpus("crema-d", trees["crema-d"])]

    def interrupt(now):
        if now.training.n_epochs_done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_plan(plan, corpora, tmp_path / "broken", on_progress=interrupt)
    resumed = run_plan(plan, corpora, tmp_path / "broken")
    assert resumed == run_plan(plan, corpora, tmp_path / "whole")
    states = [torch.load(tmp_path / name / "fold-0" / "model.pt") for name in ("broken", "whole")]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("crema-d",), "NAME=FOLDER"),
        (("crema-d=x", "--recipe", "frozen", "--protocol", "loo"), "loso"),
        (("crema-d=x", "--recipe", "frozen", "--backbone", "hubert"), "distilhubert"),
        (("crema-d=x", "--recipe", "papr"), "paper"),
        (("crema-d=x", "--recipe", "frozen", "--without", "reverb"), "pitch"),
        (("--recipe", "frozen"), "0 corpora"),
        (("crema-d=x", "--recipe", "frozen", "--folds", "one"), "whole numbers"),
        (("crema-d=x", "--recipe", "default", "--folds", "0"), "--folds is '0' and does not apply"),
        (("crema-d=x", "--recipe", "paper", "--revision", "1"), "allowed with the recipes default and smoke"),
    ],
)
def test_wrong_use_is_answered_with_what_is_allowed(arguments, message, tmp_path):
    assert message in str(call("train", *arguments, "--out", tmp_path / "out").exception)
