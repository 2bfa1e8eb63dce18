"""Every copy of the corpora by its name: how many windows it has, how they are made, and what decides them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any

from training.corpora import DecodedCorpus, DecodedUtterance, find_audio, load_decoded
from training.data.copies import (
    NONSPEECH_PER_KIND,
    NONSPEECH_S,
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
from training.data.files import hash_file, hash_names, hash_text
from training.protocols.roles import TRAIN, check_roles
from training.sounds.augment import Chain
from training.sounds.nonspeech import MAKERS
from training.sounds.voice import Cut

NONSPEECH, NONSPEECH_SEED, CROWD_SEED = "nonspeech", 31, 41
SAMPLE_SHARE = 0.25  # About 1,220 utterances, of all speakers and labels.
EVALUATION_COPIES = (
    Copy("snr5", 51, Cut.VAD, Chain(noise=1.0, snr_db=(5.0, 5.0)), share=SAMPLE_SHARE),
    Copy("snr10", 52, Cut.VAD, Chain(noise=1.0, snr_db=(10.0, 10.0)), share=SAMPLE_SHARE),
    Copy("telephone", 53, Cut.VAD, Chain(telephone=1.0), share=SAMPLE_SHARE),
    Copy("opus16", 54, Cut.VAD, Chain(opus=1.0, opus_bps=(16_000,)), share=SAMPLE_SHARE),
)
CALIBRATION_COPY = replace(NOTE_COPIES[1], notes_per_speaker=4)
CALIBRATION_STEP = 3  # Every third speaker.


@dataclass(frozen=True)
class Amounts:
    """How much of everything there is.

    Attributes:
        n_speakers: the first so many speakers of a corpus that trains; None takes all.
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
        trained: layout and folder of each corpus that trains. Speakers and names of further ones have the layout's name before
            them, as in `emodb/03`, so that nobody becomes two people.
        left_out: layouts of those further ones that are in every view and in no net: left out, they cost no new view.
        amounts: of windows.
    """

    trained: tuple[tuple[str, str], ...]
    left_out: tuple[str, ...] = ()
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


@cache
def _load(layout: str, folder: str) -> DecodedCorpus:
    return load_decoded(layout, Path(folder))


def load_trained(source: Source) -> DecodedCorpus:
    """Return what trains as one corpus, decoded once a process, as far as the source's amounts take it.

    Raises:
        FileNotFoundError: a folder holds nothing of its corpus.
        ValueError: it holds another corpus.
        RoleError: a corpus is for selection only.
    """
    first, *others = (_load(*pair) for pair in source.trained)
    check_roles({TRAIN: [utterance for corpus in (first, *others) for utterance in corpus.listed]})
    utterances = [_take_speakers(first, source.amounts.n_speakers)]
    for (layout, _), corpus in zip(source.trained[1:], others, strict=True):
        taken = _take_speakers(corpus, source.amounts.n_speakers)
        utterances.append(tuple(replace(u, speaker=f"{layout}/{u.speaker}") for u in taken))
    defects = tuple(defect for corpus in (first, *others) for defect in corpus.defects)
    return DecodedCorpus(first.name, tuple(u for part in utterances for u in part), defects)


def load_kept(source: Source) -> DecodedCorpus:
    """Return what trains as `load_trained` does, without the corpora that are left out."""
    corpus = load_trained(source)
    return replace(
        corpus, utterances=tuple(u for u in corpus.utterances if name_corpus(u.speaker) not in source.left_out)
    )


def name_corpus(speaker: str) -> str:
    """Return the layout of the corpus that a speaker is of: empty for the first one.

    >>> name_corpus("emodb/03"), name_corpus("1001")
    ('emodb', '')
    """
    return speaker.rpartition("/")[0]


def identify_kept(source: Source) -> dict[str, Any]:
    """Return what decides which utterances `load_kept` returns, as JSON can hold it."""
    return {**identify_trained(source), "left_out": list(source.left_out)}


def _take_speakers(corpus: DecodedCorpus, n_speakers: int | None) -> tuple[DecodedUtterance, ...]:
    chosen = set(sorted({u.speaker for u in corpus.utterances})[:n_speakers])
    return tuple(u for u in corpus.utterances if u.speaker in chosen)


def identify_view(source: Source, name: str) -> dict[str, Any]:
    """Return what decides the windows of a copy, as JSON can hold it: not where corpora lie, but what they hold.

    Raises:
        ValueError: there is no copy of that name.
    """
    amounts = source.amounts
    if name == NONSPEECH:
        return {
            "view": name,
            "seed": NONSPEECH_SEED,
            "seconds": NONSPEECH_S,
            "sounds_per_kind": amounts.sounds_per_kind,
        }
    if name == CROWD:
        return {"view": name, "seed": CROWD_SEED, "n_crowd": amounts.n_crowd, **identify_trained(source)}
    return {"view": name, "copy": asdict(_find_copy(source, name)), **identify_trained(source)}


def identify_trained(source: Source) -> dict[str, Any]:
    """Return what decides which utterances train, as JSON can hold it."""
    corpora = [[layout, _hash_folder(folder)] for layout, folder in source.trained]
    return {"corpora": corpora, "n_speakers": source.amounts.n_speakers}


@lru_cache(maxsize=32)
def _hash_folder(folder: str) -> str:
    """Return a hash of the names and sizes of a corpus's recordings, and of its tables."""
    tables = sorted(Path(folder).glob("*.csv"))  # A manifest may say who speaks and what.
    return hash_text(hash_names(find_audio(Path(folder))), *map(hash_file, tables))


def find_view(source: Source, name: str) -> View:
    """Return the windows of a copy.

    Raises:
        ValueError: there is no copy of that name.
    """
    amounts = source.amounts
    if name == NONSPEECH:
        make = partial(make_nonspeech, NONSPEECH_SEED, per_kind=amounts.sounds_per_kind)
        return View(len(MAKERS) * amounts.sounds_per_kind, make)
    if name == CROWD:
        utterances = load_trained(source).utterances
        return View(amounts.n_crowd, partial(make_crowd, utterances, CROWD_SEED, n_windows=amounts.n_crowd))
    copy, utterances = _find_copy(source, name), load_trained(source).utterances
    if name == IN_CROWD.name:
        return View(count_copy(utterances, copy), partial(make_in_crowd, utterances, copy))
    if name in {note.name for note in NOTE_COPIES}:
        return View(count_notes(utterances, copy), partial(make_notes, utterances, copy))
    return View(count_copy(utterances, copy), partial(make_copy, utterances, copy))


def _find_copy(source: Source, name: str) -> Copy:
    """Return a copy of what trains, in the source's amounts.

    Raises:
        ValueError: there is none of that name.
    """
    amounts = source.amounts
    copies = {copy.name: copy for copy in (*UTTERANCE_COPIES, IN_CROWD)}
    copies |= {copy.name: replace(copy, share=amounts.sample_share) for copy in EVALUATION_COPIES}
    for copy in NOTE_COPIES:
        n_notes = amounts.notes_per_speaker or copy.notes_per_speaker
        copies[copy.name] = replace(copy, notes_per_speaker=n_notes)
    if name not in copies:
        raise ValueError(f"copy {name!r} is unknown, allowed are {[*copies, NONSPEECH, CROWD]}")
    return copies[name]


def make_calibration(utterances: tuple[DecodedUtterance, ...]) -> list[Any]:
    """Return the windows that int8 ranges of an encoder are measured on, float32 (n_samples,): joined notes of every third speaker."""
    speakers = set(sorted({u.speaker for u in utterances})[::CALIBRATION_STEP])
    chosen = tuple(u for u in utterances if u.speaker in speakers)
    return [window.signal for window in make_notes(chosen, CALIBRATION_COPY)]
