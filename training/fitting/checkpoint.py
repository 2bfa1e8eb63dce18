"""What a training run needs to go on after an interruption, in one file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch


class CheckpointMismatch(Exception):
    """A checkpoint of another run; the message names what differs."""


def take_state(net: Any) -> dict[str, Any]:
    """Return a copy of everything of a net that training changes: parameters that train, and all buffers."""
    frozen = {name for name, parameter in net.named_parameters() if not parameter.requires_grad}
    return {name: value.detach().cpu().clone() for name, value in net.state_dict().items() if name not in frozen}


def put_state(net: Any, state: dict[str, Any]) -> None:
    """Give a net what `take_state` took of one like it."""
    net.load_state_dict({**net.state_dict(), **state})


def save_checkpoint(target: Path, content: dict[str, Any]) -> None:
    """Write a checkpoint so that a crash leaves the old one or the new one, never half of one."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".partial")
    torch.save(content, partial)
    with partial.open("rb") as written:
        os.fsync(written.fileno())
    partial.replace(target)


def load_checkpoint(source: Path, fingerprint: dict[str, Any]) -> dict[str, Any] | None:
    """Read a checkpoint of the same run.

    Args:
        source: the file; it need not be there.
        fingerprint: what must be the same for the run to go on.

    Returns:
        Its content, or None where there is no file.

    Raises:
        CheckpointMismatch: it belongs to a run with another recipe, seed or training set.
    """
    if not source.is_file():
        return None
    content: dict[str, Any] = torch.load(source, map_location="cpu", weights_only=True)
    held = content["fingerprint"]
    differing = sorted(key for key in {*held, *fingerprint} if held.get(key) != fingerprint.get(key))
    if differing:
        was = {key: held.get(key) for key in differing}
        now = {key: fingerprint.get(key) for key in differing}
        raise CheckpointMismatch(f"{source} was made with {was}, this run has {now}; start it in another folder")
    return content
