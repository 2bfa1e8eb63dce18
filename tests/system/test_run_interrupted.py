"""A second Ctrl-C ends `tonalog run` with all its processes, whatever a graph is busy with."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest
import soundfile
from command import kill_tree, wait_until

from db import models
from db.engine import make_engine
from tests.unit.bomb_graphs import make_bomb
from tests.unit.bundles import write_bundle
from tests.unit.sounds import RATE_HZ, make_voice
from tonalog.session import register_bundle

WITHIN_S = 15.0  # less than the 20 s that a run gives its worker after one Ctrl-C
START_S = 90.0
BUSY_S = 4.0  # more than a worker takes to start


def list_processes(session):
    """Id and processor time of the processes of a session that still run."""
    found = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = file.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found[int(file.parent.name)] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_second_ctrl_c_ends_a_run_with_all_its_processes(cli, tmp_path):
    (tmp_path / "notes").mkdir()
    soundfile.write(tmp_path / "notes" / "a.wav", make_voice(12.0), RATE_HZ)
    bundle = write_bundle(tmp_path / "tiny-0.0.1", make_bomb("deaf"))
    cli.variables = {"TONALOG_WORKER_CONCURRENCY": "1"}
    cli("db", "upgrade")
    engine = make_engine(cli.folder / "home" / "tonalog.db")
    models.activate(engine, register_bundle(engine, bundle).id)  # `models add` would have tried it
    process = cli.start("run", tmp_path / "notes", log="run.log")
    try:
        is_busy = wait_until(lambda: any(s > BUSY_S for s in list_processes(process.pid).values()), timeout_s=START_S)
        assert is_busy, cli.worker_log()

        os.killpg(process.pid, signal.SIGINT)
        time.sleep(1.0)
        os.killpg(process.pid, signal.SIGINT)

        assert wait_until(lambda: not list_processes(process.pid), timeout_s=WITHIN_S)
        assert process.wait() == 130
        assert "Traceback" not in (tmp_path / "run.log").read_text()
    finally:
        if list_processes(process.pid):
            kill_tree(process)
