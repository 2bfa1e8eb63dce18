"""Read a corpus whose labels stand in its file names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from training.corpora.files import find_audio
from training.corpora.utterance import LABELS, Finding, FindingKind, Listing, Utterance

MAX_NAMES_SHOWN = 3


def read_names(root: Path, *, pattern: str, example: str, build: Callable[[Path, re.Match[str]], Utterance]) -> Listing:
    """List a folder whose file names say speaker and label.

    Args:
        root: searched with all its folders.
        pattern: regular expression for the whole name without its extension.
        example: a name as the corpus writes it, for messages.
        build: makes an utterance of a file and its matched name; its label may be none of `LABELS`.

    Returns:
        Utterances and bystanders in order of name. Names that do not match and names that come twice are findings.

    Raises:
        FileNotFoundError: root holds no audio.
        ValueError: no file is named like the corpus.
    """
    named: dict[str, Utterance] = {}
    findings: list[Finding] = []
    strange: list[str] = []
    for path in find_audio(root):
        matched = re.fullmatch(pattern, path.stem)
        if matched is None:
            strange.append(path.name)
        elif path.stem in named:
            reason = f"{path} has the name of {named[path.stem].path}, which is used"
            findings.append(Finding(FindingKind.REPEATED_NAME, path.stem, reason, is_left_out=False))
        else:
            named[path.stem] = build(path, matched)
    if not named:
        message = f"{strange[0]} is not named like {example}, nor is any other file under {root}"
        raise ValueError(message)
    findings += [Finding(FindingKind.UNKNOWN_NAME, name, f"not named like {example}") for name in strange]
    return divide(named.values(), findings)


def divide(result: Iterable[Utterance], findings: Iterable[Finding]) -> Listing:
    """Part utterances of the four labels from bystanders."""
    everything = tuple(result)
    used = tuple(utterance for utterance in everything if utterance.label in LABELS)
    others = tuple(utterance for utterance in everything if utterance.label not in LABELS)
    return Listing(used, others, tuple(findings))


def find_unknown_labels(utterances: Iterable[Utterance], known: Mapping[str, str]) -> tuple[Finding, ...]:
    """Report source labels that are not in a corpus's vocabulary, one finding a label.

    Args:
        utterances: and bystanders.
        known: source label -> label, for every label that the corpus documents.
    """
    unknown = [utterance for utterance in utterances if utterance.source_label not in known]
    return tuple(
        Finding(
            FindingKind.UNKNOWN_LABEL,
            label,
            f"{n} recordings are labelled {label!r} ({_name_some(unknown, label)}); known are {', '.join(known)}",
        )
        for label, n in sorted(Counter(utterance.source_label for utterance in unknown).items())
    )


def _name_some(unknown: list[Utterance], label: str) -> str:
    names = [utterance.name for utterance in unknown if utterance.source_label == label]
    more = f" and {len(names) - MAX_NAMES_SHOWN} more" if len(names) > MAX_NAMES_SHOWN else ""
    return ", ".join(names[:MAX_NAMES_SHOWN]) + more
