"""A place in which a whole export appears, or nothing."""

import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from exports.errors import ExportError

PARTIAL = ".partial-"  # a killed export leaves one such folder, whose name begins with a dot


@contextmanager
def new_place(target: Path) -> Iterator[Path]:
    """Give an empty folder, which gets the name `target` at the end of the block; `NAME.zip` becomes a ZIP of it.

    Everything is on the disk before it gets the name, and only the user who runs this may read it. Where the block
    raises, nothing is left.

    Raises:
        ExportError: something of this name is there, or its folder is not.
    """
    if os.path.lexists(target):
        raise ExportError(f"{str(target)!r} is there already: give a name that is free, or remove it")
    try:
        partial = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}{PARTIAL}"))
    except OSError as error:
        raise ExportError(
            f"{str(target.parent)!r} cannot be written to ({error.strerror}): give another --out"
        ) from error
    try:
        whole = partial / (target.stem or "export")
        whole.mkdir(mode=0o700)
        yield whole
        made = _pack(whole) if target.suffix == ".zip" else whole
        _sync(made)
        made.rename(target)
        _sync_folder(target.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _pack(folder: Path) -> Path:
    target = folder.parent / "export.zip"
    with zipfile.ZipFile(target, "x", zipfile.ZIP_DEFLATED, allowZip64=True) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            archive.write(path, path.relative_to(folder).as_posix())
    target.chmod(0o600)
    shutil.rmtree(folder)
    return target


def _sync(made: Path) -> None:
    for path in [made, *made.rglob("*")] if made.is_dir() else [made]:
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
