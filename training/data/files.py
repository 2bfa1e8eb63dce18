"""Files of a run: written so that an interruption leaves the old one, the new one or none, and read as records."""

from __future__ import annotations

import functools
import hashlib
import json
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

T = TypeVar("T")


def write_json(target: Path, values: Any) -> None:
    """Write values as JSON."""
    partial = target.with_name(f"{target.name}.partial")
    partial.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    partial.replace(target)


def read_json(source: Path) -> Any:
    """Read what `write_json` wrote."""
    return json.loads(source.read_text(encoding="utf-8"))


def write_arrays(target: Path, arrays: Mapping[str, Any]) -> None:
    """Write named arrays as one `.npz`."""
    partial = target.with_name(f"{target.name}.partial")
    with partial.open("wb") as file:
        np.savez(file, **arrays)
    partial.replace(target)


def hash_file(path: Path) -> str:
    """Return the sha256 of a file in hex.

    Raises:
        FileNotFoundError: there is none.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_text(*texts: str) -> str:
    """Return the sha256 of texts in their order in hex."""
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()


def hash_names(paths: list[Path]) -> str:
    """Return a hash of files' names and sizes in hex: of a corpus that is too large to be read for it."""
    return hash_text(*(f"{name} {size}" for name, size in sorted((path.name, path.stat().st_size) for path in paths)))


def read_record(kind: type[T], values: Mapping[str, Any]) -> T:
    """Return the dataclass that `asdict` made values of, also through JSON; nested records and tuples are restored.

    Args:
        kind: the dataclass; a field that the values lack has its default.
        values: of its fields.

    Raises:
        ValueError: a value belongs to no field, or a field without a default has none.

    Example:
        >>> from dataclasses import make_dataclass
        >>> read_record(make_dataclass("Pair", [("both", tuple[int, ...])]), {"both": [1, 2]})
        Pair(both=(1, 2))
    """
    hints = _read_hints(kind)  # type: ignore[arg-type]  # a class can be hashed
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]  # every kind here is a dataclass
    if unknown := sorted(set(values) - set(names)):
        raise ValueError(f"{kind.__name__} has no {', '.join(unknown)}; allowed are {', '.join(names)}")
    try:
        return kind(**{name: _restore(hints[name], values[name]) for name in names if name in values})
    except TypeError as error:
        raise ValueError(f"{kind.__name__} of {sorted(values)}: {error}") from error


@functools.cache
def _read_hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _restore(hint: Any, value: Any) -> Any:
    if value is None:
        return None
    if is_dataclass(hint):
        return read_record(hint, value)  # type: ignore[arg-type]  # a class, as hints are
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _restore(next(part for part in parts if part is not type(None)), value)
    if origin is tuple:
        kinds = [parts[0]] * len(value) if Ellipsis in parts else parts
        return tuple(_restore(part, item) for part, item in zip(kinds, value, strict=True))
    if origin is dict:
        return {parts[0](key): _restore(parts[1], item) for key, item in value.items()}
    return value
