"""What a labelled corpus is made of: utterances, findings, layouts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

LABELS = ("anger", "happiness", "neutral", "sadness")


class Kind(StrEnum):
    """How a recording came to its label; a manifest's column `kind` holds these words.

    What nobody rated is `ASSUMED_NEUTRAL`: it may train with a weight of its own, and no protocol validates or tests on it.
    """

    LABELLED = "labelled"
    ACTED = "acted"
    ACTED_JUDGED = "acted_judged"
    NATURAL_TV = "natural_tv"
    ASSUMED_NEUTRAL = "assumed_neutral"


@dataclass(frozen=True)
class Utterance:
    """One labelled recording of one speaker.

    Attributes:
        path: audio file.
        name: unique within its corpus: the file's name without extension, with folders where names repeat.
        speaker: speaker id, unique within its corpus.
        label: one of `LABELS`; the corpus's own word among a listing's bystanders.
        corpus: the corpus's name, as in `Layout.title`.
        source_label: the label as the corpus writes it (`exc`, `ANG`, `05`).
        session: recording session, 1 or more; None where the corpus has none.
        intensity: how strongly it was to be acted (`low`, `medium`, `high`, `normal`, `strong`); None if not said.
        duration_s: 0 or more; None before inspection.
        sound_sha256: hash of the decoded signal; None before inspection.
        kind: how it came to its label.
        licence: of this recording, where those of a corpus differ; None if its layout's holds.
        is_selection_only: whether it may be measured on to choose between models, and not be trained on.
        is_speaker_known: False where the corpus has no speaker ids: its one speaker then stands for everybody in it.
    """

    path: Path
    name: str
    speaker: str
    label: str
    corpus: str
    source_label: str = ""
    session: int | None = None
    intensity: str | None = None
    duration_s: float | None = None
    sound_sha256: str | None = None
    kind: Kind = Kind.LABELLED
    licence: str | None = None
    is_selection_only: bool = False
    is_speaker_known: bool = True

    @property
    def is_assumed(self) -> bool:
        """Whether nobody rated it, so that its label is no truth."""
        return self.kind is Kind.ASSUMED_NEUTRAL

    @property
    def voice(self) -> str:
        """The speaker's id among all corpora."""
        return f"{self.corpus}/{self.speaker}"


class FindingKind(StrEnum):
    """What can be wrong with a corpus."""

    MISSING = "missing file"
    UNREADABLE = "unreadable"
    WRONG_CONTAINER = "wrong container"
    SILENT = "silent"
    CONTRADICTION = "same audio, different labels"
    DUPLICATE = "same audio twice"
    LISTED = "listed as a defect"
    UNKNOWN_NAME = "unknown name"
    REPEATED_NAME = "repeated name"
    UNKNOWN_LABEL = "unknown label"
    COUNT = "count"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a corpus.

    Attributes:
        kind: what it is, for machines.
        name: the utterance, the label or the corpus that it is about.
        reason: what it is, for people: the value and what was expected.
        is_left_out: whether the utterance of that name is left out for it.
    """

    kind: FindingKind
    name: str
    reason: str
    is_left_out: bool = True


@dataclass(frozen=True)
class Listing:
    """What the names and lists of a corpus say, before anything was listened to.

    Attributes:
        utterances: of the four labels, in order of name.
        bystanders: recordings of other emotions. Nobody trains on them, yet a copy among them spoils its twin.
        findings: what the names alone give away.
    """

    utterances: tuple[Utterance, ...]
    bystanders: tuple[Utterance, ...] = ()
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Whole:
    """What a complete copy of a corpus holds.

    Attributes:
        n_speakers: a copy with fewer is a part, whose counts say nothing.
        n_by_label: utterances by label.
        source: where the counts are printed.
    """

    n_speakers: int
    n_by_label: Mapping[str, int]
    source: str


@dataclass(frozen=True)
class Layout:
    """One corpus's official layout: how its folder is read.

    Attributes:
        title: its name in reports.
        licence: short name of its licence, for the model card.
        read: lists what a folder holds. Raises FileNotFoundError or ValueError if it holds no such corpus.
        whole: counts of a complete copy; None if there is no such thing.
        source: where it comes from, for the model card; empty if its owner knows.
        attribution: whom its licence asks to name, for the model card; empty if nobody.
        is_shown_to_users: whether the licence asks that the people who use the product see the attribution.
    """

    title: str
    licence: str
    read: Callable[[Path], Listing]
    whole: Whole | None = None
    source: str = ""
    attribution: str = ""
    is_shown_to_users: bool = False


@dataclass(frozen=True)
class Corpus:
    """A corpus ready for use.

    Attributes:
        name: as in `Layout.title`.
        utterances: to be used, in order of name.
        findings: everything found, whether it cost an utterance or not.
        is_inspected: whether every file was listened to.
    """

    name: str
    utterances: tuple[Utterance, ...]
    findings: tuple[Finding, ...] = ()
    is_inspected: bool = False

    @property
    def defects(self) -> tuple[Finding, ...]:
        """The findings that cost an utterance."""
        return tuple(finding for finding in self.findings if finding.is_left_out)

    @property
    def speakers(self) -> tuple[str, ...]:
        """Speaker ids in order, each once."""
        return tuple(sorted({utterance.speaker for utterance in self.utterances}))

    def count_labels(self) -> dict[str, int]:
        """Return the number of utterances of each of `LABELS`."""
        return count_labels(self.utterances)


def count_labels(utterances: tuple[Utterance, ...]) -> dict[str, int]:
    """Return the number of utterances of each of `LABELS`, 0 included."""
    counted = Counter(utterance.label for utterance in utterances)
    return {label: counted[label] for label in LABELS}
