"""The registry of backbones: every module of this folder that defines `BACKBONE` is one; adding a file adds a backbone."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import replace
from typing import Any

from training.nets.backbones.base import Backbone

__all__ = ["Backbone", "find_backbone", "list_backbones"]
_NOT_BACKBONES = frozenset({"base"})


def list_backbones() -> tuple[str, ...]:
    """Return the names of all backbones, in alphabetical order; nothing heavy is imported."""
    result = [
        item.name for item in pkgutil.iter_modules(__path__) if not item.ispkg and item.name not in _NOT_BACKBONES
    ]
    return tuple(sorted(name.replace("_", "-") for name in result))


def find_backbone(name: str, **sizes: Any) -> Backbone:
    """Return a backbone by name.

    Args:
        name: as `list_backbones` gives it.
        sizes: fields of the backbone to change, such as a smaller configuration for a test.

    Returns:
        The backbone.

    Raises:
        ValueError: there is none of that name.
    """
    if name not in list_backbones():
        raise ValueError(f"backbone {name!r} is unknown, allowed are {list(list_backbones())}")
    module = importlib.import_module(f"{__name__}.{name.replace('-', '_')}")
    backbone: Backbone = replace(module.BACKBONE, **sizes)
    return backbone
