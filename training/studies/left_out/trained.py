"""Which corpora a bundle was trained on: what its manifest names, and what the caller adds."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from training.bundle.credits import LOOKED_AT
from training.corpora import find_layout, list_layouts
from training.studies.left_out.corpora import ReadCorpus
from worker.scoring.bundle import Bundle

# How `training.bundle.credits` writes the use of a corpus that no net learnt from; everything else counts as trained on.
UNTRAINED = re.compile(rf"\d+ tested on|none used|{re.escape(LOOKED_AT)}")


def list_trained(bundle: Bundle) -> tuple[str, ...]:
    """Return the names of the corpora that a bundle was trained on, as its manifest says."""
    entries = bundle.manifest.training.get("corpora", [])
    rows: list[Mapping[str, Any]] = [one for one in entries if isinstance(one, Mapping) and "name" in one]
    return tuple(str(one["name"]) for one in rows if not UNTRAINED.fullmatch(str(one.get("use", ""))))


def resolve_trained(
    named: Sequence[str], corpora: Sequence[tuple[str, Path]], read: Sequence[ReadCorpus]
) -> tuple[str, ...]:
    """Return titles of the corpora that the caller names as trained on, judged or not.

    Raises:
        ValueError: a name is no corpus.
    """
    titles = {name: one.corpus.name for (name, _), one in zip(corpora, read, strict=True)}
    titles |= {title: title for title in titles.values()}
    unknown = [name for name in named if name not in {*titles, *list_layouts()}]
    if unknown:
        raise ValueError(
            f"trained on {unknown[0]!r}; allowed are {', '.join(dict.fromkeys((*titles, *list_layouts())))}"
        )
    return tuple(titles[name] if name in titles else find_layout(name).title for name in named)


def simplify_name(name: str) -> str:
    """Return a corpus's name without what manifests may write in another way."""
    return name.casefold().replace("_", "-").strip()
