"""The training commands where the extra `train` is not installed."""

import importlib.util

import pytest
from click.testing import CliRunner

from tonalog.cli import cli
from tonalog.errors import TonalogError
from worker.scoring.bundle import BundleError


@pytest.fixture
def _without_torch(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "torch" else find(name, *rest))


@pytest.mark.parametrize(
    "arguments",
    [
        ("train", "crema-d=x", "--out", "y"),
        ("evaluate", "run", "y"),
        ("evaluate", "voice-notes", "x", "--out", "z"),
        ("bundle", "y", "--out", "z-1", "--version", "1"),
    ],
)
@pytest.mark.usefixtures("_without_torch")
def test_without_the_extra_one_sentence_says_what_to_install(arguments):
    error = CliRunner().invoke(cli, arguments).exception

    assert isinstance(error, TonalogError)
    assert "torch" in str(error)
    assert str(error).endswith("pip install --editable '.[train]'")


@pytest.mark.parametrize(
    "command",
    [
        ("train",),
        ("evaluate",),
        ("evaluate", "run"),
        ("evaluate", "left-out"),
        ("evaluate", "personal"),
        ("evaluate", "voice-notes"),
        ("bundle",),
    ],
)
def test_help_needs_no_extra(command):
    assert CliRunner().invoke(cli, [*command, "--help"]).exit_code == 0


@pytest.mark.usefixtures("_without_torch")
def test_bundles_are_judged_without_the_extra(tmp_path):
    error = CliRunner().invoke(cli, ["evaluate", "left-out", str(tmp_path / "none"), f"emodb={tmp_path}"]).exception

    assert isinstance(error, BundleError)


@pytest.mark.usefixtures("_without_torch")
def test_the_trial_of_a_persons_baseline_needs_no_extra(tmp_path):
    lacking = tmp_path / "predictions.csv"
    error = CliRunner().invoke(cli, ["evaluate", "personal", f"a={lacking}", "--reference", str(lacking)]).exception

    assert isinstance(error, TonalogError)
    assert "predictions.csv" in str(error)
    assert "pip install" not in str(error)
