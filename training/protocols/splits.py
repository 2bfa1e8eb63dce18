"""Who trains, who validates and who is tested; a protocol deals out utterances and never looks at their audio."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from training.corpora.utterance import Corpus, Utterance
from training.protocols.folds import N_FOLDS, SEED, assign_folds
from training.protocols.leaks import check_sounds, check_speakers
from training.protocols.roles import check_roles

MIN_GROUPS = 3  # One group each for training, validation and test.
HOLD_OUT = 0.05  # Of the paper's production model.


@dataclass(frozen=True)
class Split:
    """One fold.

    Attributes:
        name: what is tested.
        train: utterances to train on.
        validate: utterances to stop early on; may be empty.
        test: utterances to score.
    """

    name: str
    train: tuple[Utterance, ...]
    validate: tuple[Utterance, ...]
    test: tuple[Utterance, ...]

    def count_training(self, label: str) -> int:
        """Return the number of training utterances of a label, without those that nobody rated: these have their own weight."""
        return sum(utterance.label == label and not utterance.is_assumed for utterance in self.train)


@dataclass(frozen=True)
class Protocol:
    """A way to divide corpora, checked for leaks.

    Attributes:
        name: for reports.
        description: one sentence for reports: what is on which side.
        splits: at least one.
        is_speaker_independent: whether nobody is heard on two sides. If not, its figures are no field accuracy.
    """

    name: str
    description: str
    splits: tuple[Split, ...]
    is_speaker_independent: bool = True


def leave_one_session_out(corpus: Corpus, *, further: Sequence[Corpus] = ()) -> Protocol:
    """Divide strictly by session: each is tested once, the one after it validates, the others train.

    Args:
        corpus: with sessions, three at least (IEMOCAP: five, so three train).
        further: corpora that train in every fold and are never validated or tested on.

    Raises:
        ValueError: an utterance has no session, or there are fewer than three.
        LeakError: a speaker or a recording is on two sides.
        RoleError: what may only train is tested, or what may only be tested trains.
    """
    homeless = [utterance.name for utterance in corpus.utterances if utterance.session is None]
    if homeless:
        message = f"{corpus.name} has {len(homeless)} utterances without a session, {homeless[0]} for one"
        raise ValueError(message)
    numbers = sorted({utterance.session for utterance in corpus.utterances if utterance.session is not None})
    if len(numbers) < MIN_GROUPS:
        message = f"{corpus.name} has {len(numbers)} sessions, at least {MIN_GROUPS} are needed"
        raise ValueError(message)
    groups = [tuple(u for u in corpus.utterances if u.session == number) for number in numbers]
    names = [f"{corpus.name} session {number}" for number in numbers]
    description = (
        f"each of {len(numbers)} sessions of {corpus.name} is tested once, the next one validates, the others train"
        f"{_mention(further)}"
    )
    return _check(Protocol("strict leave-one-session-out", description, _rotate(names, groups, further)))


def cross_validate_speakers(
    corpora: Sequence[Corpus], *, n_folds: int = N_FOLDS, seed: int = SEED, further: Sequence[Corpus] = ()
) -> Protocol:
    """Divide by speaker: every speaker is tested once, the fold after it validates, the others train.

    Args:
        corpora: all of them are tested.
        n_folds: 3 or more, at most the number of speakers.
        seed: of the shuffle of speakers; the folds of one corpus are those of `training.protocols.folds`.
        further: corpora that train in every fold and are never validated or tested on.

    Raises:
        ValueError: too few folds, or fewer speakers than folds.
        LeakError: a recording is on two sides.
        RoleError: what may only train is tested, or what may only be tested trains.
    """
    if n_folds < MIN_GROUPS:
        message = f"{n_folds} folds; at least {MIN_GROUPS} are needed to train, validate and test"
        raise ValueError(message)
    everything = _gather_divided(corpora)
    folds = assign_folds((u.voice for u in everything), n_folds=n_folds, seed=seed)
    groups = [tuple(u for u in everything if folds[u.voice] == fold) for fold in range(n_folds)]
    names = [f"fold {fold}" for fold in range(n_folds)]
    description = (
        f"{len(folds)} speakers of {_name(corpora)} in {n_folds} folds (seed {seed}); each fold is tested once, the next "
        f"one validates, the others train{_mention(further)}"
    )
    return _check(Protocol("speaker-independent", description, _rotate(names, groups, further)))


def hold_out_shuffled(corpora: Sequence[Corpus], *, share: float = HOLD_OUT, seed: int = SEED) -> Protocol:
    """Divide as the paper's production model: a random share is tested, everything else trains.

    The same people are on both sides, so the result says nothing about strangers. Only recordings are checked for leaks.

    Args:
        corpora: all of them.
        share: of the hold-out, in (0, 1); rounded up to at least one utterance.
        seed: of the shuffle.

    Raises:
        ValueError: the share is not in (0, 1), or nothing would be left to train on.
        LeakError: a recording is on both sides.
        RoleError: what may only train is tested, or what may only be tested trains.
    """
    everything = list(_gather_divided(corpora))
    n_test = math.ceil(share * len(everything)) if 0.0 < share < 1.0 else 0
    if not 0 < n_test < len(everything):
        message = f"a share of {share} of {len(everything)} utterances; it must be in (0, 1) and leave some to train on"
        raise ValueError(message)
    random.Random(seed).shuffle(everything)  # noqa: S311 - no secret; it must come out the same
    test, train = _order(everything[:n_test]), _order(everything[n_test:])
    description = (
        f"random {share:.0%} of {_name(corpora)} is tested, the rest trains (seed {seed}); the same speakers are on both "
        "sides, so this is no field accuracy"
    )
    return _check(
        Protocol("speaker-dependent", description, (Split("hold-out", train, (), test),), is_speaker_independent=False)
    )


def cross_corpora(
    train: Sequence[Corpus], test: Corpus, *, n_parts: int = N_FOLDS, seed: int = SEED, further: Sequence[Corpus] = ()
) -> Protocol:
    """Train on some corpora and test on all of another one.

    Args:
        train: corpora to train on; one part of their speakers validates.
        test: the other corpus, no utterance of which is trained or validated on.
        n_parts: of the training speakers, 2 or more; the first part validates.
        seed: of the shuffle of speakers.
        further: corpora that train with all their speakers and are never validated or tested on.

    Raises:
        ValueError: fewer training speakers than parts.
        LeakError: a speaker or a recording is on two sides, for instance the tested corpus is also trained on.
        RoleError: what may only train is tested, or what may only be tested trains.
    """
    everything = _gather_divided(train)
    parts = assign_folds((u.voice for u in everything), n_folds=n_parts, seed=seed)
    split = Split(
        test.name,
        (*(u for u in everything if parts[u.voice] != 0), *_gather(further)),
        tuple(u for u in everything if parts[u.voice] == 0),
        test.utterances,
    )
    description = (
        f"{_name(train)} trains, 1 of {n_parts} parts of its speakers validates; all of {test.name} is tested"
        f"{_mention(further)}"
    )
    return _check(Protocol("cross-corpus", description, (split,)))


def _rotate(
    names: Sequence[str], groups: Sequence[tuple[Utterance, ...]], further: Sequence[Corpus]
) -> tuple[Split, ...]:
    """Test each group once and validate on the one after it."""
    n = len(groups)
    return tuple(
        Split(
            names[k],
            (*(u for i in range(n) if i not in (k, (k + 1) % n) for u in groups[i]), *_gather(further)),
            groups[(k + 1) % n],
            groups[k],
        )
        for k in range(n)
    )


def _check(protocol: Protocol) -> Protocol:
    """Return the protocol if nothing leaks, and nothing is where it may not be."""
    for split in protocol.splits:
        sides = {"train": split.train, "validate": split.validate, "test": split.test}
        if protocol.is_speaker_independent:
            check_speakers(sides)
        check_sounds(sides)
        check_roles(sides)
    return protocol


def _gather(corpora: Iterable[Corpus]) -> tuple[Utterance, ...]:
    return tuple(utterance for corpus in corpora for utterance in corpus.utterances)


def _gather_divided(corpora: Iterable[Corpus]) -> tuple[Utterance, ...]:
    """Gather corpora that a shuffle deals out: whoever may come on any side must fit all, or a seed would decide."""
    everything = _gather(corpora)
    check_roles({"train": everything, "validate": everything})
    return everything


def _order(utterances: Iterable[Utterance]) -> tuple[Utterance, ...]:
    return tuple(sorted(utterances, key=lambda u: (u.corpus, u.name)))


def _name(corpora: Sequence[Corpus]) -> str:
    return " + ".join(corpus.name for corpus in corpora)


def _mention(further: Sequence[Corpus]) -> str:
    return f"; {_name(further)} trains in every fold and is never tested" if further else ""
