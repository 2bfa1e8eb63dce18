"""Load a model bundle, whole and as its manifest says; never runs the model and never reads outside the folder."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from worker.scoring.manifest import Manifest

MANIFEST_FILE, MODEL_FILE, CARD_FILE = "manifest.json", "model.onnx", "MODEL_CARD.md"
LICENCE_PREFIXES = ("LICENSE", "LICENCE", "NOTICE")


class BundleError(Exception):
    """A bundle that cannot be used; the message names the value and what was allowed."""


@dataclass(frozen=True)
class Bundle:
    """A model, ready to be made a session of.

    Attributes:
        manifest: checked.
        folder: where it was read.
        model_bytes: model.onnx, whose sha256 is the manifest's.
    """

    manifest: Manifest
    folder: Path
    model_bytes: bytes


def load_bundle(folder: Path) -> Bundle:
    """Read a bundle folder and check it. The model is read once, so that what was checked is what runs.

    Args:
        folder: holds manifest.json, model.onnx, MODEL_CARD.md and licence texts, and nothing else.

    Returns:
        The bundle.

    Raises:
        BundleError: a file is missing or not allowed there, the manifest does not hold what it should, or the model
            is not the one that the manifest was written for.
    """
    _check_files(folder)
    manifest = _read_manifest(folder / MANIFEST_FILE)
    model_bytes = (folder / MODEL_FILE).read_bytes()
    sha256 = hashlib.sha256(model_bytes).hexdigest()
    if sha256 != manifest.sha256:
        raise BundleError(f"sha256 of {MODEL_FILE} in {folder} is {sha256}, the manifest allows {manifest.sha256}")
    return Bundle(manifest, folder, model_bytes)


def _check_files(folder: Path) -> None:
    if not folder.is_dir():
        raise BundleError(f"{folder} is not a folder, a bundle is a folder with {MANIFEST_FILE} and {MODEL_FILE}")
    held = sorted(path.name for path in folder.iterdir())
    needed = (MANIFEST_FILE, MODEL_FILE, CARD_FILE)
    missing = [name for name in needed if name not in held]
    if missing:
        raise BundleError(f"{folder} lacks {missing}, a bundle needs {list(needed)}")
    unknown = [name for name in held if name not in needed and not name.startswith(LICENCE_PREFIXES)]
    if unknown:
        raise BundleError(f"{folder} holds {unknown}, allowed are {list(needed)} and licence texts")


def _read_manifest(path: Path) -> Manifest:
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(str(part) for part in one['loc']) or 'manifest'} is {_shorten(one['input'])}: {one['msg']}"
            for one in error.errors(include_url=False)
        )
        raise BundleError(f"{path}: {wrong}") from error


def _shorten(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."  # noqa: PLR2004 - a line of a terminal
