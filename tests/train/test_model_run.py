"""The shipped model's whole way on made-up corpora and weights: train, interrupt, resume, evaluate, export and score."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import save_file
from speaking_trees import write_crema_d, write_set, write_voice

from tonalog.cli import cli
from tonalog.errors import known_errors
from training.bundle.publish import INT8_GRAPH, LimitExceeded, check_limits
from training.bundle.stages import INT8_ENCODER, make_model
from training.data.cached import FRAMES_FILE
from training.data.files import hash_file, read_record
from training.fitting.plan import STEPS_FOLDER, Plan, parse_corpora, read_plan
from training.fitting.presets import DEFAULT, SMOKE
from training.fitting.recipe import Limits, Recipe
from training.fitting.stages import NetSteps
from training.fitting.steps import run_steps
from training.nets.whisper import PooledEncoder
from training.studies.evaluation import halve_ordinary
from training.studies.voice_notes.experiment import load_nets
from trends import read_baseline
from worker.scoring.bundle import load_bundle

# Training and evaluation are fixtures of the first test that wants them: two minutes on free cores, ten beside other work.
pytestmark = pytest.mark.timeout(1200)

ROOT = Path(__file__).resolve().parents[2]
GERMAN = {"W": 240.0, "F": 210.0, "N": 140.0, "T": 110.0}
ACTORS = range(1001, 1006)


@pytest.fixture(scope="module")
def crema_d(tmp_path_factory):
    return write_crema_d(tmp_path_factory.mktemp("crema-d"), ACTORS)


@pytest.fixture(scope="module")
def emodb(tmp_path_factory):
    root = tmp_path_factory.mktemp("emodb")
    for label, pitch_hz in GERMAN.items():
        write_voice(root / "wav" / f"03a01{label}a.wav", pitch_hz + 3, 7)
    return root


@pytest.fixture(scope="module")
def everyday(tmp_path_factory):
    root = tmp_path_factory.mktemp("sets") / "everyday"
    write_set(root / "fsdd", "Jakobovski/free-spoken-digit-dataset:", "assumed_neutral", ["neutral"])
    write_set(root / "mycroft_precise", "MycroftAI/Precise-Community-Data:", "assumed_neutral", ["neutral"])
    return root


@pytest.fixture(scope="module")
def given(crema_d, emodb, everyday):
    """The corpora of the run, as the command takes them."""
    return f"crema-d={crema_d}", f"emodb={emodb}", f"everyday={everyday}"


@pytest.fixture(scope="module")
def emovo(tmp_path_factory):
    labels = ["anger", "happiness", "neutral", "sadness"] * 3
    return write_set(tmp_path_factory.mktemp("judged") / "emovo", "fp1acm8/SER:", "acted", labels)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    encoder = PooledEncoder()
    path = tmp_path_factory.mktemp("weights") / "encoder.safetensors"
    save_file({f"encoder.{k}": v for k, v in encoder.state_dict().items() if not k.startswith("log_mel")}, path)
    return path


def call(*arguments):
    return CliRunner().invoke(cli, [str(one) for one in arguments])


def succeed(*arguments):
    result = call(*arguments)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output


def list_files(folder):
    return {path.relative_to(folder): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def trained(given, weights, tmp_path_factory):
    """A run that was broken off in its third copy, and ended by --resume."""
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("runs") / "model"
    weighed = {"pretrained": str(weights), "pretrained_sha256": hash_file(weights)}
    plan = Plan(parse_corpora(given), "speakers", "whisper-base", SMOKE, **weighed, version="0.0.1")

    def interrupt(name, done, _):
        if (name, done) == ("frames of phone", 2):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_model(plan, out, report=interrupt)
    held = {path: time for path, time in list_files(out).items() if ".partial" not in str(path)}
    printed = succeed("train", "--resume", "--out", out, "--workers", "1")
    return out, held, printed


@pytest.fixture(scope="module")
def evaluated(trained, emovo):
    torch.set_num_threads(1)
    out = trained[0]
    printed = succeed("evaluate", "default", out, f"emovo={emovo}", "--workers", "1")
    return out, printed


def test_what_was_finished_before_the_interruption_is_not_done_again(trained):
    out, held, _ = trained
    done = {path.parent.name.rpartition("-")[0] for path in held if path.suffix == ".npz"}
    assert done == {"frames-of-clean", "frames-of-room"}
    now = list_files(out)
    assert {path: now[path] for path in held} == held


def test_training_ends_in_a_bundle_that_serving_loads_and_says_that_nothing_was_measured(trained):
    out, _, printed = trained
    bundle = out / "speech-emotion-0.0.1"
    manifest = load_bundle(bundle).manifest
    assert str(bundle) in printed
    assert manifest.temperature == SMOKE.stages.calibration.temperature
    assert manifest.uncertain_below == SMOKE.stages.calibration.uncertain_below
    assert manifest.speech_gate.output == "speech"
    assert {name: (one.low, one.high) for name, one in manifest.dimensions.items()} == {
        "arousal": (0.0, 1.0),
        "valence": (-1.0, 1.0),
    }
    assert read_record(Recipe, manifest.training["recipe"]) == SMOKE
    assert "Nothing was measured on unheard speakers" in (bundle / "MODEL_CARD.md").read_text(encoding="utf-8")


def test_card_and_licence_name_what_trained_and_how(trained):
    bundle = trained[0] / "speech-emotion-0.0.1"
    card, manifest = (bundle / "MODEL_CARD.md").read_text(encoding="utf-8"), load_bundle(bundle).manifest
    assert "at half the frame rate" in card
    assert "at most 8 s" in card
    assert "North American English" not in card
    assert [
        entry["name"] for entry in manifest.training["corpora"] if "tuned" in entry["use"] or "layers" in entry["use"]
    ] == [
        "CREMA-D",
        "EmoDB",
        "fsdd",
        "mycroft_precise",
    ]
    assert "CREMA-D, ODbL-1.0 and 3 more" in manifest.licence


def test_a_finished_run_is_left_as_it_is(trained):
    out, _, _ = trained
    before = list_files(out)
    succeed("train", "--resume", "--out", out, "--workers", "1")
    assert list_files(out) == before


def test_a_corpus_that_somebody_rated_is_judged_by_a_net_that_was_tuned_without_it(evaluated):
    figures = json.loads((evaluated[0] / "evaluation" / "figures.json").read_text(encoding="utf-8"))
    assert set(figures["evaluation"]["left_out"]) == {"emodb"}
    assert {item["corpus"] for item in figures["dimensions"]} >= {"EmoDB, left out"}


def test_ordinary_speech_is_judged_by_nets_that_were_tuned_without_it(evaluated):
    out = evaluated[0]
    figures = json.loads((out / "evaluation" / "figures.json").read_text(encoding="utf-8"))
    assert halve_ordinary(read_plan(out)) == [("fsdd",), ("mycroft-precise",)]
    assert {name: shares["n_windows"] for name, shares in figures["evaluation"]["ordinary"].items()} == {
        "fsdd": 4,
        "mycroft-precise": 4,
    }
    for shares in figures["evaluation"]["ordinary"].values():
        assert shares["certain_other"] <= 1.0 - shares["neutral"]


def test_a_corpus_that_did_not_train_is_judged_by_the_bundle_as_it_is_and_with_an_own_baseline(evaluated, tmp_path):
    figures = json.loads((evaluated[0] / "evaluation" / "figures.json").read_text(encoding="utf-8"))
    (row,) = figures["elsewhere"]
    assert (row["name"], row["n"], row["n_speakers"], row["is_trained"]) == ("EMOVO", 48, 4, False)
    assert row["baseline"]["n_judged"] > 0
    succeed("bundle", evaluated[0], "--version", "0.0.7", "--out", tmp_path / "own-0.0.7")
    manifest = load_bundle(tmp_path / "own-0.0.7").manifest
    assert manifest.baseline == figures["baseline"]
    assert manifest.metrics["elsewhere"] == figures["elsewhere"]
    assert "baseline" not in manifest.metrics


def test_evaluation_prints_every_figure_that_the_exported_card_has(evaluated, tmp_path):
    out, printed = evaluated
    target = tmp_path / "own-0.0.2"
    succeed("bundle", out, "--version", "0.0.2", "--out", target)

    card = (target / "MODEL_CARD.md").read_text(encoding="utf-8")
    figures = card[card.index("## Metrics") : card.index("## Limits")].strip()
    assert figures in printed
    assert len(re.findall(r"\d\.\d{3}", figures)) > 100


def test_the_exported_bundle_holds_the_recipes_calibration_and_what_was_measured_at_it(evaluated, tmp_path):
    out, _ = evaluated
    target = tmp_path / "own-0.0.3"
    succeed("bundle", out, "--version", "0.0.3", "--out", target)

    manifest = load_bundle(target).manifest
    found = json.loads((out / "evaluation" / "figures.json").read_text(encoding="utf-8"))
    calibration = SMOKE.stages.calibration
    assert manifest.temperature == found["evaluation"]["calibration"]["temperature"] == calibration.temperature
    assert manifest.uncertain_below == calibration.uncertain_below
    assert manifest.metrics["evaluation"] == found["evaluation"]
    assert found["evaluation"]["folds"] == [0, 1, 2, 3, 4]
    assert found["evaluation"]["n_speakers"] == len(ACTORS)
    assert manifest.metrics["slices"] == found["slices"]
    assert manifest.metrics["dimensions"] == found["dimensions"]
    assert len(found["dimensions"]) == 4
    assert found["slices"]["whole"]["n_speakers"] == len(ACTORS)
    (graph,) = (out / STEPS_FOLDER).rglob(INT8_GRAPH)
    for bundle in (target, out / "speech-emotion-0.0.1"):
        assert (bundle / "model.onnx").read_bytes() == graph.read_bytes()


def test_an_evaluation_that_is_asked_for_again_tunes_nothing_again(evaluated, emovo):
    out, printed = evaluated
    times = list_files(out / STEPS_FOLDER)
    again = succeed("evaluate", "default", out, f"emovo={emovo}", "--folds", "4,3,2,1,0", "--workers", "1")
    assert list_files(out / STEPS_FOLDER) == times
    assert again.partition("## Metrics")[2] == printed.partition("## Metrics")[2]


def test_the_exported_bundle_scores_a_note(evaluated, crema_d, tmp_path):
    target = tmp_path / "own-0.0.4"
    succeed("bundle", evaluated[0], "--version", "0.0.4", "--out", target)
    note = min(crema_d.rglob("*.wav"))
    row = json.loads(succeed("score", "--json", "--model", target, note))
    assert row["model"] == {"name": "own", "version": "0.0.4"}
    scores = row["scores"]
    assert row["dimensions"]["arousal"] == pytest.approx(scores["anger"] + scores["happiness"], abs=1e-5)
    assert row["dimensions"]["valence"] == pytest.approx(
        scores["happiness"] - scores["anger"] - scores["sadness"], abs=1e-5
    )


def test_a_run_is_exported_where_its_corpus_is_away(evaluated, crema_d, tmp_path):
    away = crema_d.rename(crema_d.with_name("away"))
    try:
        succeed("bundle", evaluated[0], "--version", "0.0.6", "--out", tmp_path / "own-0.0.6")
    finally:
        away.rename(crema_d)
    assert load_bundle(tmp_path / "own-0.0.6").manifest.version == "0.0.6"


def test_a_run_of_another_version_takes_what_it_shares_from_the_same_steps(trained, given, weights, tmp_path):
    steps, out = trained[0] / STEPS_FOLDER, tmp_path / "other"
    before = list_files(steps)
    options = ("--recipe", "smoke", "--pretrained", weights, "--steps", steps, "--workers", "1", "--version", "0.0.9")
    succeed("train", *given, *options, "--out", out)
    assert list_files(steps) == before
    graphs = [
        (folder / "model.onnx").read_bytes()
        for folder in (out / "speech-emotion-0.0.9", trained[0] / "speech-emotion-0.0.1")
    ]
    assert graphs[0] == graphs[1]
    succeed("bundle", out, "--version", "0.0.10", "--out", tmp_path / "own-0.0.10")


def test_a_version_is_never_written_twice(trained):
    out, _, _ = trained
    result = call("bundle", out, "--version", "0.0.1", "--out", out / "speech-emotion-0.0.1")
    assert "written twice" in str(result.exception)


def test_frames_made_by_two_processes_are_those_of_one(trained, tmp_path):
    plan = read_plan(trained[0])
    steps = NetSteps(plan, plan.find_source())
    wanted, told = [steps.cache_frames(name) for name in ("clean", "phone")], []
    run_steps(wanted, tmp_path, n_processes=2, report=lambda *words: told.append(words))
    for step in wanted:
        frames, others = (np.load(step.find(root) / FRAMES_FILE) for root in (trained[0] / STEPS_FOLDER, tmp_path))
        assert np.array_equal(frames, others)
    assert ("frames of clean", 32, 32) in told


def test_the_default_recipe_is_calibrated_as_the_shipped_bundle():
    (bundle,) = (ROOT / "models").glob("*-*")
    manifest = load_bundle(bundle).manifest
    calibration = DEFAULT.stages.calibration
    assert (calibration.temperature, calibration.uncertain_below) == (manifest.temperature, manifest.uncertain_below)
    rule = read_baseline(manifest.baseline, labels=manifest.labels).rule
    assert (calibration.relative_temperature, calibration.relative_uncertain_below) == (
        rule.temperature,
        rule.uncertain_below,
    )
    assert DEFAULT.stages.speech_threshold == manifest.speech_gate.threshold


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"final": {"false_accept": {"white": 0.05}}}, "white noise in 0.05, allowed is 0.0"),
        ({"int8": {"ua_change": -0.02}}, "by 0.02, allowed is 0.01"),
        ({"gate": {"miss": {"clean": 0.5}}}, "clean speech in 0.5, allowed is 0.01"),
    ],
)
def test_a_model_beyond_a_limit_is_not_shipped(change, message):
    figures = {
        "final": {"false_accept": {"white": 0.0}},
        "int8": {"ua_change": 0.001},
        "gate": {"miss": {"clean": 0.0}},
    }
    check_limits(figures, Limits())
    with pytest.raises(LimitExceeded, match=re.escape(message)):
        check_limits({**figures, **change}, Limits())
    assert LimitExceeded in known_errors()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("crema-d=x", "--protocol", "loso"), "--recipe frozen, paper or scratch"),
        (("crema-d=x", "--epochs", "3"), "--epochs is 3 and does not apply"),
        (("crema-d=x", "--backbone", "light-sernet"), "whisper-base alone"),
        (("crema-d=x", "--device", "cuda"), "--device is 'cuda' and does not apply"),
        (("emodb=x",), "crema-d=FOLDER"),
        (("crema-d=x",), "emodb=FOLDER"),
        (("crema-d=x", "--without", "ravdess"), "['ravdess']"),
        (("crema-d=x", "--without", "emodb", "everyday=nowhere"), "no folder nowhere"),
        (("crema-d=x", "emodb=x", "fsdd=x", "mycroft-precise=x", "--recipe", "smoke"), "--pretrained"),
        ((), "0 corpora"),
        (("crema-d=x", "--folds", "0"), "frozen, paper and scratch"),
    ],
)
def test_wrong_use_of_the_default_is_answered_with_what_is_allowed(arguments, message, tmp_path):
    assert message in str(call("train", *arguments, "--out", tmp_path / "out").exception)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--folds", "0"), "2 or more"),
        (("--folds", "0,5"), "0 to 4"),
        (("--folds", "all"), "whole numbers"),
        (("ravdess=nowhere",), "nowhere"),
        (("fsdd2=x",), "'fsdd2'"),
        (("vctk-sample=x",), "`tonalog evaluate left-out` judges it"),
        (("--actors", "nowhere.csv"), "nowhere.csv"),
    ],
)
def test_wrong_use_of_the_evaluation_is_answered_before_anything_is_tuned(trained, arguments, message):
    out, _, _ = trained
    assert message in str(call("evaluate", "default", out, *arguments).exception)


@pytest.mark.parametrize("option", [("--fold", "0"), ("--max-ua-drop", "0.005"), ("--without-gate",)])
def test_options_of_folds_are_refused_where_a_run_ends_in_its_bundle(trained, option, tmp_path):
    target = tmp_path / "own-0.0.5"
    result = call("bundle", trained[0], "--version", "0.0.5", "--out", target, *option)
    assert f"{option[0]} is " in str(result.exception)
    assert "does not apply: recipe smoke ends in a bundle by itself" in str(result.exception)
    assert not target.exists()


def test_voice_notes_are_judged_by_the_nets_of_an_evaluation_and_by_no_others(trained, evaluated, tmp_path):
    nets = load_nets(evaluated[0], read_plan(evaluated[0]))
    figures = json.loads((evaluated[0] / "evaluation" / "figures.json").read_text(encoding="utf-8"))
    assert sorted(nets.means) == figures["evaluation"]["folds"]
    assert nets.temperature == figures["evaluation"]["calibration"]["temperature"]
    for fold, folder in nets.means.items():
        assert json.loads((folder / "tune.json").read_text(encoding="utf-8"))["fold"] == fold
        assert (nets.encoders[fold] / INT8_ENCODER).is_file()

    (tmp_path / "plan.json").write_bytes((trained[0] / "plan.json").read_bytes())
    result = call("evaluate", "voice-notes", tmp_path)
    assert "not measured to its end" in str(result.exception)


def test_a_folder_that_holds_no_run_is_said_with_what_makes_one(tmp_path):
    assert "--recipe default" in str(call("evaluate", "default", tmp_path).exception)
