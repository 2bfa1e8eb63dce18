"""Load a model bundle, whole and as its manifest says; never runs the model and never reads outside the folder."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from worker.scoring.bundle_files import (
    CARD_FILE,
    LICENCE_PREFIXES,
    MANIFEST_FILE,
    MODEL_FILE,
    BundleError,
    hash_files,
    read_files,
)
from worker.scoring.manifest import Manifest

__all__ = [
    "CARD_FILE",
    "LICENCE_PREFIXES",
    "MANIFEST_FILE",
    "MODEL_FILE",
    "Bundle",
    "BundleError",
    "check_registered",
    "load_bundle",
    "make_bundle",
]

_MAX_DEPTH = 16
_MAX_INTEGER = (1 << 53) - 1
"""Beyond it JSON's numbers differ between readers: RFC 8259, section 6."""


@dataclass(frozen=True)
class Bundle:
    """A model, ready to be made a session of.

    Attributes:
        manifest: checked.
        folder: where it was read.
        model_bytes: model.onnx, whose sha256 is the manifest's.
        sha256: of all files of the folder, names and contents, in hex.
    """

    manifest: Manifest
    folder: Path
    model_bytes: bytes
    sha256: str


def load_bundle(folder: Path) -> Bundle:
    """Read a bundle folder and check it. Each file is read once, so that what was checked and hashed is what runs.

    Args:
        folder: holds manifest.json, model.onnx, MODEL_CARD.md and licence texts, and nothing else.

    Returns:
        The bundle.

    Raises:
        BundleError: a file is missing, not allowed there, no regular file or too large, the manifest does not hold
            what it should, or the model is not the one that the manifest was written for.
    """
    return make_bundle(read_files(folder), folder=folder)


def make_bundle(files: Mapping[str, bytes], *, folder: Path) -> Bundle:
    """Check the files of a bundle that were read, from a folder or from object storage.

    Args:
        files: name to content, as `read_files` gives them.
        folder: where they were, for messages.

    Raises:
        BundleError: as for `load_bundle`.
    """
    manifest = _parse_manifest(folder / MANIFEST_FILE, files[MANIFEST_FILE])
    model_bytes = files[MODEL_FILE]
    sha256 = hashlib.sha256(model_bytes).hexdigest()
    if sha256 != manifest.sha256:
        raise BundleError(f"sha256 of {MODEL_FILE} in {folder} is {sha256}, the manifest allows {manifest.sha256}")
    return Bundle(manifest, folder, model_bytes, hash_files(files))


def check_registered(bundle: Bundle, *, sha256: str | None, model_sha256: str, manifest: Mapping[str, Any]) -> None:
    """Hold a bundle against what was registered of it.

    Args:
        bundle: that was loaded.
        sha256: of the whole bundle, None where a release that did not keep it registered the bundle.
        model_sha256: of model.onnx.
        manifest: the registered document.

    Raises:
        BundleError: it is another bundle; the message names the file that differs.
    """
    what = f"{bundle.manifest.name}-{bundle.manifest.version}"
    fix = f"{what} was registered as {{}}; put the registered bundle back"
    if bundle.manifest.sha256 != model_sha256:
        found = f"{bundle.folder} holds another {MODEL_FILE} ({bundle.manifest.sha256[:12]})"
        raise BundleError(f"{found}, but {fix.format(model_sha256[:12])}")
    if differing := _list_differing(bundle.manifest, manifest):
        found = f"{bundle.folder} holds another {MANIFEST_FILE} ({', '.join(differing)} differ)"
        raise BundleError(f"{found}, but {fix.format((sha256 or model_sha256)[:12])}")
    if sha256 is not None and bundle.sha256 != sha256:
        found = (
            f"{bundle.folder} holds another card, licence text or spelling of {MANIFEST_FILE} ({bundle.sha256[:12]})"
        )
        raise BundleError(f"{found}, but {fix.format(sha256[:12])}")


def _list_differing(manifest: Manifest, registered: Mapping[str, Any]) -> list[str]:
    try:
        # An older release did not write the keys that have a default now.
        document = Manifest.model_validate(dict(registered)).as_document()
    except ValidationError:
        document = dict(registered)
    found = manifest.as_document()
    return sorted(key for key in {*found, *document} if found.get(key) != document.get(key))


def _parse_manifest(path: Path, content: bytes) -> Manifest:
    try:
        document = json.loads(content.decode("utf-8"), object_pairs_hook=_refuse_twice)
        _check_values(document, ())
    except RecursionError:
        raise BundleError(f"{path}: it is nested too deeply, allowed are {_MAX_DEPTH} levels") from None
    except ValueError as error:  # no JSON, no UTF-8, an integer of thousands of digits, or what we refuse
        raise BundleError(f"{path}: the manifest is refused: {_shorten_text(str(error))}") from error
    try:
        return Manifest.model_validate(document)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(str(part) for part in one['loc']) or 'manifest'} is {_shorten(one['input'])}: {one['msg']}"
            for one in error.errors(include_url=False)
        )
        raise BundleError(f"{path}: {wrong}") from error


def _refuse_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} is there twice, each is allowed once")
    return document


def _check_values(value: object, at: tuple[str, ...]) -> None:
    """Refuse what JSON readers or a database would not keep as it is."""
    where = ".".join(at) or "manifest"
    if len(at) > _MAX_DEPTH:
        raise ValueError(f"{_shorten_text(where)} is nested too deeply, allowed are {_MAX_DEPTH} levels")
    if isinstance(value, dict):
        for key, one in value.items():
            _check_text(key, f"a key of {where}")
            _check_values(one, (*at, key))
    elif isinstance(value, list):
        for index, one in enumerate(value):
            _check_values(one, (*at, str(index)))
    elif isinstance(value, str):
        _check_text(value, where)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{where} is {value}, allowed are finite numbers")
    elif isinstance(value, int) and abs(value) > _MAX_INTEGER:
        raise ValueError(f"{where} is {_shorten(value)}, allowed are integers of at most {_MAX_INTEGER}")


def _check_text(text: str, where: str) -> None:
    if not text.replace("\n", "").isprintable():  # also lone surrogates and NUL, which PostgreSQL does not store
        raise ValueError(f"{where} is {_shorten(text)}, allowed is printable text")


def _shorten(value: object) -> str:
    return _shorten_text(repr(value))


def _shorten_text(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:77]}..."  # noqa: PLR2004 - a line of a terminal
