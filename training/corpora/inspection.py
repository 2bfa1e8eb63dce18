"""Listen to a corpus: find what is silent, doubled, mislabelled, missing or unreadable."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.corpora.files import CONTAINERS, find_container, read_signal
from training.corpora.utterance import Corpus, Finding, FindingKind, Listing, Utterance
from worker.audio.decode import SAMPLING_RATE_HZ
from worker.audio.errors import AudioError

SILENT_PEAK = 1e-3  # -60 dBFS: below it nothing was recorded, only dither or codec residue.
OnSound = Callable[[Utterance, NDArray[np.float32]], None]


def inspect_listing(listing: Listing, *, name: str, on_sound: OnSound | None = None) -> Corpus:
    """Decode every file once, bystanders too, and leave out what is defective.

    Two files are the same audio if their decoded samples are equal; a copy that was shifted or converted is not found.

    Args:
        listing: what names and lists say.
        name: the corpus's name.
        on_sound: called with every recording that could be decoded and its signal, float32 (n_samples,) at 16 kHz.

    Returns:
        The corpus; its utterances know their duration and hash.
    """
    decoded: list[Utterance] = []
    findings = list(listing.findings)
    for utterance in (*listing.utterances, *listing.bystanders):
        result, sound = _hear(utterance, on_sound)
        findings += result
        decoded += [] if sound is None else [sound]
    findings += compare_sounds(decoded)
    merged = _merge(findings)
    left_out = {finding.name for finding in merged if finding.is_left_out}
    used = {utterance.name for utterance in listing.utterances} - left_out
    kept = tuple(utterance for utterance in decoded if utterance.name in used)
    return Corpus(name, kept, merged, is_inspected=True)


def compare_sounds(decoded: Iterable[Utterance]) -> tuple[Finding, ...]:
    """Find recordings whose audio is exactly that of another.

    Args:
        decoded: inspected recordings, bystanders too: a copy under an unused label spoils the used one just as much.

    Returns:
        For audio under two labels or two speakers every copy is left out, since nobody can tell which one is right.
        For a harmless copy all but the first are left out, so that nothing counts twice.
    """
    by_sound: dict[str, list[Utterance]] = defaultdict(list)
    for utterance in decoded:
        by_sound[utterance.sound_sha256 or utterance.name].append(utterance)
    findings: list[Finding] = []
    for group in by_sound.values():
        ordered = sorted(group, key=lambda u: u.name)
        if len({(u.speaker, u.label) for u in ordered}) > 1:
            findings += _contradict(ordered)
        else:
            reason = f"the same audio as {ordered[0].name}, which is used"
            findings += [Finding(FindingKind.DUPLICATE, u.name, reason) for u in ordered[1:]]
    return tuple(findings)


def _contradict(group: list[Utterance]) -> list[Finding]:
    same = " = ".join(f"{u.name} ({u.label}, speaker {u.speaker})" for u in group)
    what = "labels" if len({u.label for u in group}) > 1 else "speakers"
    return [Finding(FindingKind.CONTRADICTION, u.name, f"identical audio under two {what}: {same}") for u in group]


def _hear(utterance: Utterance, on_sound: OnSound | None) -> tuple[list[Finding], Utterance | None]:
    """Decode one recording; silence has no hash, or every silent file would be a copy of every other."""
    name = utterance.name
    if not utterance.path.is_file():
        return [Finding(FindingKind.MISSING, name, f"no file {utterance.path}")], None
    try:
        findings = _check_container(utterance.path, name)
        signal = read_signal(utterance.path)
    except (AudioError, OSError) as error:
        return [Finding(FindingKind.UNREADABLE, name, str(error))], None
    peak = float(np.abs(signal).max()) if signal.size else 0.0
    duration_s = signal.size / SAMPLING_RATE_HZ
    if peak < SILENT_PEAK:
        findings.append(Finding(FindingKind.SILENT, name, f"peak {peak:.6f}, at least {SILENT_PEAK} is expected"))
        return findings, None
    if on_sound is not None:
        on_sound(utterance, signal)
    return findings, replace(
        utterance, duration_s=duration_s, sound_sha256=hashlib.sha256(signal.tobytes()).hexdigest()
    )


def _check_container(path: Path, name: str) -> list[Finding]:
    """Compare what a file is with what its extension says; it can be used all the same, as serving reads bytes."""
    container, expected = find_container(path), CONTAINERS.get(path.suffix.lower())
    if container is expected:
        return []
    text = expected.value if expected else "nothing that we know"
    reason = f"the file is {container.value}, its extension {path.suffix} says {text}"
    return [Finding(FindingKind.WRONG_CONTAINER, name, reason, is_left_out=False)]


def _merge(findings: list[Finding]) -> tuple[Finding, ...]:
    """Sort by name, and say once what is both decoded and listed: what was decoded says more."""
    decoded = {finding.name for finding in findings if finding.is_left_out and finding.kind is not FindingKind.LISTED}
    kept = (f for f in findings if f.kind is not FindingKind.LISTED or f.name not in decoded)
    return tuple(sorted(kept, key=lambda finding: (finding.name, finding.kind)))
