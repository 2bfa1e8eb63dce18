"""Import onnxruntime with its telemetry off; every other module takes `ort` from here.

onnxruntime 1.32 keeps an id of this machine in `~/.cache/Microsoft` and sends events home. It decides so while it is
imported: its own `disable_telemetry_events()` comes too late for the id, and `CI` set in the environment hides both.
So the variable is set here, whatever it was, and is inherited by every process that this one starts.
"""

from __future__ import annotations

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime as ort  # noqa: TID251 - the one import, and only after the line above

__all__ = ["ort"]
