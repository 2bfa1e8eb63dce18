"""A process that is confined gets a MemoryError, and what it was forked with does not count."""

import subprocess
import sys

import pytest

CODE = """
import os, resource, sys
held = bytearray(300 << 20)  # as libraries that a parent preloads
if os.fork() == 0:
    from worker.confine import confine
    confine(128)
    allotted = bytearray(64 << 20)
    try:
        bytearray(128 << 20)
        end = "unbounded"
    except MemoryError:
        end = "bounded"
    core = resource.getrlimit(resource.RLIMIT_CORE)
    del allotted
    print(end, core, len(bytearray(100 << 20)) >> 20, flush=True)
    os._exit(0)
os.wait()
print(len(bytearray(500 << 20)) >> 20)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a process holds, and bounds it")
def test_a_forked_process_is_bounded_beyond_what_it_was_forked_with_and_its_parent_is_not():
    printed = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True).stdout

    assert printed.splitlines() == ["bounded (0, 0) 100", "500"]


SCORE = """
import numpy as np
from config.settings import Settings
from tonalog.bundles import default_bundle
from worker.confine import confine
from worker.outcomes import failure_of
from worker.scoring.bundle import load_bundle
from worker.scoring.scorer import Scorer
scorer = Scorer(load_bundle(default_bundle(Settings.read())))
confine(8)
try:
    scorer._run(np.zeros((1, 960_000), dtype=np.float32))  # a minute, which takes far more than what is held for a window
    print("scored")
except Exception as error:
    print(failure_of(error).reason)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a process holds, and bounds it")
def test_a_model_that_finds_no_memory_to_run_in_is_the_one_that_cannot_be_used_and_no_surprise():
    printed = subprocess.run([sys.executable, "-c", SCORE], capture_output=True, text=True, check=True).stdout

    assert printed.split() == ["MODEL_UNAVAILABLE"]
