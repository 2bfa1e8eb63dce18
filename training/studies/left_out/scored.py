"""A corpus with the scores that one bundle gives, as arrays; nothing is measured here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from training.corpora import LABELS, Utterance
from training.measures import Predictions
from training.studies.left_out.corpora import ReadCorpus
from training.studies.left_out.notes import ScoredNote


@dataclass(frozen=True)
class ScoredCorpus:
    """Recordings of one corpus, all rated or all assumed to be neutral, and what serving gives for them.

    Attributes:
        name: of the corpus.
        labels: of the bundle, in the order of its scores.
        utterances: at least one.
        notes: of each.
        is_trained: whether the bundle was trained on the corpus.
    """

    name: str
    labels: tuple[str, ...]
    utterances: tuple[Utterance, ...]
    notes: tuple[ScoredNote, ...]
    is_trained: bool

    @property
    def is_assumed(self) -> bool:
        """Whether nobody rated them, so that their label is no truth."""
        return self.utterances[0].is_assumed

    @cached_property
    def is_scored(self) -> NDArray[np.bool_]:
        """Which of them have scores, bool (n,)."""
        return np.array([note.unscored is None for note in self.notes])

    @cached_property
    def truth(self) -> NDArray[np.int64]:
        """Label of each, index into `labels`, int64 (n,)."""
        return np.array([self.labels.index(one.label) for one in self.utterances], dtype=np.int64)

    @cached_property
    def probabilities(self) -> NDArray[np.float64]:
        """Scores of those that have some, float64 (n_scored, n_labels)."""
        rows = [note.scores for note in self.notes if note.unscored is None]
        return np.array(rows, dtype=np.float64).reshape(-1, len(self.labels))

    @cached_property
    def speakers(self) -> NDArray[np.str_]:
        """Speaker of each, unique among corpora, str (n,)."""
        return np.array([one.voice for one in self.utterances], dtype=np.str_)

    def count_speakers(self) -> int | None:
        """Return how many people speak; None where the corpus has no speaker ids."""
        return len(np.unique(self.speakers)) if self.utterances[0].is_speaker_known else None

    def as_predictions(self) -> Predictions:
        """Return those that have scores, of which there must be one, as files of predictions hold them."""
        kept = np.flatnonzero(self.is_scored)
        return Predictions(
            self.labels,
            np.array([self.utterances[row].name for row in kept], dtype=np.str_),
            self.speakers[kept],
            np.array([self.name] * len(kept), dtype=np.str_),
            self.truth[kept],
            self.probabilities,
        )


def join_scores(
    read: ReadCorpus, notes: Mapping[str, ScoredNote], *, labels: tuple[str, ...], is_trained: bool
) -> list[ScoredCorpus]:
    """Return a corpus with its scores: what was rated, and what was assumed, each where there is any.

    Of a set of ordinary speech, the few recordings that were rated are left out unless they have every label: a recall over
    two recordings would count as much as one over a corpus.

    Args:
        read: the corpus.
        notes: by the sha256 of the file.
        labels: of the bundle.
        is_trained: whether the bundle was trained on it.
    """
    scored = ScoredCorpus(
        read.corpus.name,
        labels,
        read.corpus.utterances,
        tuple(notes[sha256] for sha256 in read.file_hashes),
        is_trained,
    )
    rated, assumed = (
        _take(scored, [one.is_assumed == is_assumed for one in scored.utterances]) for is_assumed in (False, True)
    )
    is_judged = not assumed.utterances or {one.label for one in rated.utterances} == set(LABELS)
    return [part for part, is_kept in ((rated, is_judged), (assumed, True)) if is_kept and part.utterances]


def _take(scored: ScoredCorpus, is_taken: list[bool]) -> ScoredCorpus:
    pairs = [
        pair for pair, taken in zip(zip(scored.utterances, scored.notes, strict=True), is_taken, strict=True) if taken
    ]
    return replace(scored, utterances=tuple(one for one, _ in pairs), notes=tuple(note for _, note in pairs))
