"""Find a corpus's layout by name and load it."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from training.corpora import layouts
from training.corpora.inspection import OnSound, inspect_listing
from training.corpora.layouts.manifest import FILE_NAME
from training.corpora.utterance import Corpus, Finding, FindingKind, Layout, Listing, Whole, count_labels


def list_layouts() -> tuple[str, ...]:
    """Return the names of all corpora that there is a layout for: `crema-d`, `emodb`, ..."""
    return tuple(sorted(_collect_layouts()))


def find_layout(name: str) -> Layout:
    """Return one corpus's layout.

    Args:
        name: one of `list_layouts()`.

    Raises:
        ValueError: there is no such layout.
    """
    known = _collect_layouts()
    if name not in known:
        message = f"no corpus layout is called {name!r}; there are {', '.join(sorted(known))}"
        raise ValueError(message)
    return known[name]


def find_sets(folder: Path) -> list[tuple[str, Path]]:
    """Return name and folder of every set below a folder, each called as its folder.

    Raises:
        FileNotFoundError: there is no such folder, or no set in it.
        ValueError: a folder with a manifest is called like no known corpus.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder {folder}; needed is one that holds sets, each a folder with {FILE_NAME}")
    found = sorted(path for path in folder.iterdir() if (path / FILE_NAME).is_file())
    if not found:
        raise FileNotFoundError(f"{folder} holds no set; a set is a folder with {FILE_NAME}, such as {folder / 'fsdd'}")
    named = [(path.name.lower().replace("_", "-"), path) for path in found]
    for name, path in named:
        if name not in list_layouts():
            raise ValueError(f"{path} is no known set; allowed names are {', '.join(list_layouts())}")
    return named


def _collect_layouts() -> dict[str, Layout]:
    """Return the layouts by name: a file's `LAYOUT` has the file's name, its `LAYOUTS` have their own."""
    result: dict[str, Layout] = {}
    for listed in pkgutil.iter_modules(layouts.__path__):
        module = importlib.import_module(f"{layouts.__name__}.{listed.name}")
        result |= getattr(module, "LAYOUTS", None) or {listed.name.replace("_", "-"): module.LAYOUT}
    return result


def load_corpus(name: str, root: Path, *, is_inspected: bool = True, on_sound: OnSound | None = None) -> Corpus:
    """Load a corpus from its official layout.

    Args:
        name: one of `list_layouts()`.
        root: the corpus's folder; for `manifest` the CSV or its folder.
        is_inspected: whether to decode every file and leave defective ones out. Without it nothing is opened, and
            only what names and lists give away is left out.
        on_sound: as in `inspect_listing`.

    Returns:
        The corpus, with every finding; nothing found is raised.

    Raises:
        FileNotFoundError: root does not hold anything of that corpus.
        ValueError: there is no such layout, or root holds another corpus.
    """
    layout = find_layout(name)
    listing = layout.read(root)
    title = next((u.corpus for u in (*listing.utterances, *listing.bystanders)), layout.title)
    if is_inspected:
        corpus = inspect_listing(listing, name=title, on_sound=on_sound)
    else:
        bad = {finding.name for finding in listing.findings if finding.is_left_out}
        corpus = Corpus(title, tuple(u for u in listing.utterances if u.name not in bad), listing.findings)
    return replace(corpus, findings=(*corpus.findings, *check_counts(listing, layout.whole, title=title)))


def check_counts(listing: Listing, whole: Whole | None, *, title: str) -> tuple[Finding, ...]:
    """Compare a listing's counts by label with those of a complete copy.

    Counted before anything is left out, as the paper counts. A part of a corpus is said to be one and not compared.

    Args:
        listing: what names and lists say.
        whole: counts of a complete copy; None if there is no such thing.
        title: the corpus's name.
    """
    if whole is None:
        return ()
    n_speakers = len({utterance.speaker for utterance in (*listing.utterances, *listing.bystanders)})
    if n_speakers < whole.n_speakers:
        reason = f"{n_speakers} of {whole.n_speakers} speakers are here, so counts are not compared with {whole.source}"
        return (Finding(FindingKind.COUNT, title, reason, is_left_out=False),)
    return tuple(_compare(count_labels(listing.utterances), whole))


def _compare(counted: Mapping[str, int], whole: Whole) -> list[Finding]:
    return [
        Finding(
            FindingKind.COUNT,
            label,
            f"{counted[label]} utterances of {label}, {whole.source} has {expected} ({counted[label] - expected:+d})",
            is_left_out=False,
        )
        for label, expected in whole.n_by_label.items()
        if counted[label] != expected
    ]
