"""Every copy of the corpora by its name: how many windows it has and how they are made; it computes no feature."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path

from training.corpora import HeardCorpus, HeardUtterance, load_heard
from training.data.copies import (
    CLEAN,
    NONSPEECH_PER_KIND,
    NOTE_COPIES,
    UTTERANCE_COPIES,
    Copy,
    Window,
    count_copy,
    count_notes,
    make_copy,
    make_nonspeech,
    make_notes,
)
from training.data.crowd import CROWD, IN_CROWD, make_crowd, make_in_crowd
from training.sounds.augment import Chain
from training.sounds.nonspeech import MAKERS
from training.sounds.voice import Cut

NONSPEECH, FOREIGN = "nonspeech", "emodb-clean"
NONSPEECH_SEED = 31
CROWD_SEED = 41
SAMPLE_SHARE = 0.25  # About 1,220 utterances, of all speakers and labels.
EVALUATION_COPIES = (
    Copy("snr5", 51, Cut.VAD, Chain(noise=1.0, snr_db=(5.0, 5.0)), share=SAMPLE_SHARE),
    Copy("snr10", 52, Cut.VAD, Chain(noise=1.0, snr_db=(10.0, 10.0)), share=SAMPLE_SHARE),
    Copy("telephone", 53, Cut.VAD, Chain(telephone=1.0), share=SAMPLE_SHARE),
    Copy("opus16", 54, Cut.VAD, Chain(opus=1.0, opus_bps=(16_000,)), share=SAMPLE_SHARE),
)


@dataclass(frozen=True)
class Amounts:
    """How much of everything there is.

    Attributes:
        n_speakers: the first so many speakers of CREMA-D; None takes all.
        notes_per_speaker: windows of each speaker in a copy of joined notes, all labels together; None is the copy's own.
        sounds_per_kind: windows of each kind of non-speech.
        n_crowd: windows of babble.
        sample_share: of the utterances that a degraded copy for evaluation takes.
        n_fresh: new sounds of each kind that the finished graph is tried on.
        n_draws: of the bootstrap over speakers.
    """

    n_speakers: int | None = None
    notes_per_speaker: int | None = None
    sounds_per_kind: int = NONSPEECH_PER_KIND
    n_crowd: int = 1000
    sample_share: float = SAMPLE_SHARE
    n_fresh: int = 20
    n_draws: int = 20_000


@dataclass(frozen=True)
class Source:
    """Where windows come from.

    Attributes:
        crema_d: folder of CREMA-D.
        emodb: folder of EmoDB; None where no copy of it is asked for.
        amounts: of windows.
    """

    crema_d: Path
    emodb: Path | None = None
    amounts: Amounts = Amounts()


@dataclass(frozen=True)
class View:
    """The windows of one copy.

    Attributes:
        n_windows: that `make` yields.
        make: yields them, the same each time.
    """

    n_windows: int
    make: Callable[[], Iterator[Window]]


@lru_cache(maxsize=2)
def _load(layout: str, folder: Path) -> HeardCorpus:
    return load_heard(layout, folder)


def load_trained(source: Source) -> HeardCorpus:
    """Return CREMA-D, decoded once a process, as far as the source's amounts take it.

    Raises:
        FileNotFoundError: the folder holds nothing of CREMA-D.
        ValueError: it holds another corpus.
    """
    corpus = _load("crema-d", source.crema_d)
    if source.amounts.n_speakers is None:
        return corpus
    first = set(sorted({u.speaker for u in corpus.utterances})[: source.amounts.n_speakers])
    return replace(corpus, utterances=tuple(u for u in corpus.utterances if u.speaker in first))


def find_view(source: Source, name: str) -> View:
    """Return the windows of a copy.

    Raises:
        ValueError: there is no copy of that name, or it needs EmoDB and the source has none.
    """
    amounts = source.amounts
    if name == NONSPEECH:
        make = partial(make_nonspeech, NONSPEECH_SEED, per_kind=amounts.sounds_per_kind)
        return View(len(MAKERS) * amounts.sounds_per_kind, make)
    if name == FOREIGN:
        if source.emodb is None:
            raise ValueError(f"{FOREIGN} is asked for, and no EmoDB is given: emodb=FOLDER")
        return _view_copy(_load("emodb", source.emodb).utterances, CLEAN)
    heard = load_trained(source).utterances
    if name == CROWD:
        return View(amounts.n_crowd, partial(make_crowd, heard, CROWD_SEED, n_windows=amounts.n_crowd))
    if name == IN_CROWD.name:
        return View(count_copy(heard, IN_CROWD), partial(make_in_crowd, heard, IN_CROWD))
    degraded = {copy.name: replace(copy, share=amounts.sample_share) for copy in EVALUATION_COPIES}
    copies = degraded | {copy.name: copy for copy in UTTERANCE_COPIES}
    notes = {
        copy.name: replace(copy, notes_per_speaker=amounts.notes_per_speaker or copy.notes_per_speaker)
        for copy in NOTE_COPIES
    }
    if name in notes:
        return View(count_notes(heard, notes[name]), partial(make_notes, heard, notes[name]))
    if name not in copies:
        allowed = [*copies, *notes, IN_CROWD.name, NONSPEECH, CROWD, FOREIGN]
        raise ValueError(f"copy {name!r} is unknown, allowed are {allowed}")
    return _view_copy(heard, copies[name])


def _view_copy(utterances: tuple[HeardUtterance, ...], copy: Copy) -> View:
    return View(count_copy(utterances, copy), partial(make_copy, utterances, copy))
