"""`tonalog score` ends when it is told to, whatever a graph or a decoder is busy with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import soundfile
from command import wait_until

from tests.unit.bomb_graphs import make_bomb
from tests.unit.bundles import make_graph, write_bundle
from tests.unit.sounds import RATE_HZ, make_voice

WITHIN_S = 10.0  # a second on an idle machine; the graph itself would never end
START_S = 60.0


@pytest.fixture
def sounds(tmp_path):
    """A recording of which no window is full, and one that wakes the bomb."""
    for name, length_s in {"short.wav": 1.0, "long.wav": 12.0}.items():
        soundfile.write(tmp_path / name, make_voice(length_s), RATE_HZ)
    return tmp_path / "short.wav", tmp_path / "long.wav"


def start(cli, *arguments, **options):
    """Start `tonalog score` as a shell does, its output in two files."""
    files = {name: (cli.folder / name).open("wb") for name in ("stdout", "stderr")}
    command = [sys.executable, "-m", "tonalog", "score", *map(str, arguments)]
    return subprocess.Popen(command, env=cli.environment, **files, **options)


def read_processor_s(process):
    """How much processor time a process has spent."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize(
    ("kind", "number"),
    [
        ("loop", signal.SIGTERM),
        ("deaf", signal.SIGINT),
        pytest.param("loop", signal.SIGINT, marks=pytest.mark.long),
        pytest.param("deaf", signal.SIGTERM, marks=pytest.mark.long),
    ],
)
def test_a_graph_that_never_ends_is_left_at_once_and_the_rows_before_it_are_whole(cli, tmp_path, sounds, kind, number):
    bundle = write_bundle(tmp_path / "bomb", make_bomb(kind))
    process = start(cli, "--json", "--model", bundle, *sounds)
    try:
        assert wait_until(lambda: (cli.folder / "stdout").read_text().endswith("\n"), timeout_s=START_S)
        before_s = read_processor_s(process)
        assert wait_until(lambda: read_processor_s(process) > before_s + 0.5, timeout_s=START_S)

        process.send_signal(number)
        told_s = time.monotonic()
        status = process.wait(timeout=20)
        took_s = time.monotonic() - told_s
    finally:
        process.kill()

    assert status in {-number, 128 + number}
    assert took_s < WITHIN_S
    (row,) = [json.loads(line) for line in (cli.folder / "stdout").read_text().splitlines()]
    assert row["status"] == "scored"
    assert (cli.folder / "stderr").read_text() == ""


def test_a_row_that_is_being_written_is_finished_before_the_end(tmp_path):
    script = """
import os, signal, sys
from tonalog.process import ended_when_told, finish_what_is_written
with ended_when_told(), finish_what_is_written():
    sys.stdout.write("first half, ")
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGINT)
    sys.stdout.write("second half\\n")
    sys.stdout.flush()
print("went on")
"""
    with (tmp_path / "rows").open("wb") as rows:
        done = subprocess.run([sys.executable, "-c", script], stdout=rows, stderr=subprocess.PIPE, check=False)

    assert (done.returncode, done.stderr) == (-signal.SIGINT, b"")
    assert (tmp_path / "rows").read_text() == "first half, second half\n"


def test_a_process_that_was_started_to_ignore_ctrl_c_still_does(tmp_path):
    script = """
import os, signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
from tonalog.process import ended_when_told
with ended_when_told():
    os.kill(os.getpid(), signal.SIGINT)
print("went on")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout == "went on\n"


def test_a_model_that_fails_at_one_file_is_said_in_its_row_and_stops_nothing(cli, tmp_path, sounds):
    short, long = sounds
    rows = {}
    for kind in ("error", "memory", "nan"):
        bundle = write_bundle(tmp_path / kind, make_bomb(kind))
        printed = cli("score", "--json", "--model", bundle, short, long, short, code=1)
        rows[kind] = [json.loads(line) for line in printed.splitlines()]

    assert [[row["status"] for row in of_kind] for of_kind in rows.values()] == [["scored", "failed", "scored"]] * 3
    codes = {kind: of_kind[1]["error"]["code"] for kind, of_kind in rows.items()}
    assert codes == {"error": "MODEL_UNAVAILABLE", "memory": "MODEL_UNAVAILABLE", "nan": "BAD_SCORES"}


def test_a_model_whose_scores_are_none_from_the_start_is_one_sentence(cli, tmp_path, sounds):
    bundle = write_bundle(tmp_path / "odd", make_graph(constant=[float("nan"), 0.0, 0.5, 0.5]))

    printed = cli("score", "--model", bundle, *sounds, code=1)

    assert printed.startswith("tonalog: the scores are [nan, 0.0, 0.5, 0.5]")
    assert "Traceback" not in printed
