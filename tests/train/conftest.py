"""Fixtures of the training tests: one thread, tiny nets, tones instead of voices; run by `make test-train` only."""

import sys
from pathlib import Path

import pytest
import torch

# `tests` is no package: this makes `nets` and the corpora of the unit tests importable here.
sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "unit")]


@pytest.fixture(autouse=True)
def _one_seeded_thread():
    torch.set_num_threads(1)
    torch.manual_seed(0)
