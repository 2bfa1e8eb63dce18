"""The `tonalog` command as a user runs it: to the end, or as a process that can be killed with its tree."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import forked

ROOT = Path(__file__).resolve().parents[1]
NOTES = ROOT / "examples" / "notes"


@dataclass
class Cli:
    """Runs `tonalog` in a folder of its own, with no TONALOG_ variable but the given ones."""

    folder: Path
    variables: dict = field(default_factory=dict)
    cwd: Path = ROOT

    @property
    def environment(self):
        clean = {name: value for name, value in os.environ.items() if not name.startswith("TONALOG_")}
        return {**clean, "TONALOG_HOME": str(self.folder / "home"), **self.variables}

    def __call__(self, *arguments, code=0, timeout=240):
        """Run to the end, check the exit code and return what was printed."""
        done = self.ask(*arguments, timeout=timeout)
        assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}\n{self.worker_log()}"
        return done.stdout if code == 0 else done.stdout + done.stderr

    def ask(self, *arguments, timeout=240):
        """Run to the end, whatever the exit code; stdout and stderr apart."""
        return forked.run(list(map(str, arguments)), environment=self.environment, folder=self.cwd, timeout_s=timeout)

    def start(self, *arguments, log, is_measured=False):
        """Start a long-running process in a session of its own, so that its whole tree can be killed.

        Coverage makes it some 40 % slower and is written only by a process that ends by itself: measure no other.
        """
        environment = self.environment
        if not is_measured:
            environment = {name: value for name, value in environment.items() if not name.startswith("COVERAGE_")}
        return subprocess.Popen(
            [sys.executable, "-m", "tonalog", *map(str, arguments)],
            env=environment,
            cwd=self.cwd,
            stdout=(self.folder / log).open("ab"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def worker_log(self):
        logs = [self.folder / "home" / "worker.log", *self.folder.glob("*.log")]
        return "\n".join(f"== {log.name}\n{log.read_text()[-3000:]}" for log in logs if log.exists())


def kill_tree(process):
    """Kill a process started by `Cli.start` with all its children, at once."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_until(condition, *, timeout_s, every_s=0.2):
    """Wait for a condition; return whether it came true in time."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(every_s)
    return False
