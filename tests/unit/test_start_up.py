"""Commands that only read or change rows start without what hears and scores: it was a fifth of their time."""

import subprocess
import sys

ROWS_ONLY = ("dead", "erase", "keys", "models", "operate", "read", "settings", "status", "subjects")
HEAVY = ("numpy", "av", "onnxruntime", "librosa", "celery")


def test_commands_on_rows_load_no_audio_stack_and_no_celery():
    names = ", ".join(f"tonalog.commands.{name}" for name in ROWS_ONLY)
    code = f"import sys, {names}; print(*(name for name in {HEAVY!r} if name in sys.modules))"

    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert done.stdout.split() == []
