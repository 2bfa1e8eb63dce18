"""Jobs in processes of their own: they end with the one that started them."""

import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

from training.fitting.jobs import Job, run_jobs

WITHIN_S = 60.0
START = "from test_jobs import start; import sys; start(sys.argv[1])"


def stay(folder, count):
    """Write which process this is, and never end."""
    count(0, 1)
    part = Path(folder) / f"{os.getpid()}.part"
    part.write_text("")
    part.rename(part.with_suffix(".pid"))
    while True:
        time.sleep(60.0)


def start(folder):
    run_jobs([Job(name, partial(stay, folder)) for name in ("one", "two")], n_processes=2)


def is_there(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(condition):
    deadline_s = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


def test_workers_end_with_a_command_that_was_killed(tmp_path):
    paths = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).resolve().parents[2])])
    command = subprocess.Popen([sys.executable, "-c", START, tmp_path], env={**os.environ, "PYTHONPATH": paths})
    try:
        wait_until(lambda: len(list(tmp_path.glob("*.pid"))) == 2)
        workers = [int(path.stem) for path in tmp_path.glob("*.pid")]
        assert all(map(is_there, workers))
    finally:
        command.kill()
        command.wait()

    wait_until(lambda: not any(map(is_there, workers)))
