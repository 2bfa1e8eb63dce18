"""The training copies: which distortion and which cut each one makes of an utterance."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import librosa
import numpy as np

from training.corpora import DecodedUtterance
from training.sounds.augment import Chain, Signal, distort
from training.sounds.channels import CHANNELS, pass_channel
from training.sounds.nonspeech import MAKERS, happens, make_sound
from training.sounds.variation import vary_voice
from training.sounds.voice import Cut, reduce_signal
from worker.audio.frontend import FrontEnd, prepare

SAMPLING_RATE_HZ = 16_000
FRONT_END = FrontEnd()  # Training and serving share it; the manifest names its values.
WINDOW_SAMPLES = 8 * SAMPLING_RATE_HZ
LOW_NOISE_DB = (-75.0, -35.0)
Groups = dict[tuple[str, str], list[DecodedUtterance]]


@dataclass(frozen=True)
class Window:
    """One scorer input of a training copy, at its natural length.

    Attributes:
        signal: float32 (n_samples,), peak 0.95.
        speaker: speaker id; a fold name is drawn from it.
        kind: emotion label, or the kind of sound for non-speech.
        name: file name or seed that made it.
    """

    signal: Signal
    speaker: str
    kind: str
    name: str


@dataclass(frozen=True)
class Copy:
    """A named way to make windows; `seed` makes each copy rerunnable by itself.

    Attributes:
        name: of the file that holds its features.
        seed: of all its chance.
        cut: how windows are cut.
        chain: how they are distorted.
        share: of the utterances that are taken, drawn one by one: every n-th would follow the order of labels in
            the file names, and tie a distortion to a label.
        notes_per_speaker: how many joined windows a speaker gets, all labels together.
        is_everyday: whether each utterance goes through the channel of a set of ordinary speech before it is cut.
        is_varied: whether each utterance is cut shorter, spoken quicker or slower, or dulled before it is distorted.
        is_for_all: whether it takes utterances that nobody rated too; those are many, and weigh little.
    """

    name: str
    seed: int
    cut: Cut
    chain: Chain
    share: float = 1.0
    notes_per_speaker: int = 16
    is_everyday: bool = False
    is_varied: bool = False
    is_for_all: bool = True


CLEAN = Copy("clean", 10, Cut.VAD, Chain())
UTTERANCE_COPIES = (
    CLEAN,
    Copy(
        "room",
        14,
        Cut.VAD,
        Chain(noise=0.6, snr_db=(5.0, 30.0), equaliser=0.6, telephone=0.2, opus=0.2),
        is_for_all=False,
    ),
    Copy("phone", 12, Cut.TRIM, Chain(noise=0.3, equaliser=0.5, telephone=0.4, opus=0.5), share=0.5, is_for_all=False),
    Copy("varied", 61, Cut.NONE, Chain(noise=0.5, equaliser=0.6, telephone=0.2, opus=0.3), is_varied=True),
    # Every label through the bands, codecs, levels and lengths of ordinary speech, so that no channel is a cue.
    Copy("everyday", 16, Cut.VAD, Chain(), share=0.5, is_everyday=True, is_for_all=False),
)
NOTE_COPIES = (
    Copy("notes-clean", 21, Cut.VAD, Chain(noise=0.3, snr_db=(20.0, 45.0))),
    Copy("notes-room", 22, Cut.VAD, Chain(noise=0.7, equaliser=0.6, telephone=0.2, opus=0.2)),
    Copy(
        "notes-phone", 23, Cut.VAD, Chain(noise=0.4, snr_db=(10.0, 40.0), telephone=0.3, opus=0.4), notes_per_speaker=8
    ),
)
TRAINED = tuple(copy.name for copy in (*UTTERANCE_COPIES, *NOTE_COPIES))
NONSPEECH_PER_KIND = 120
NONSPEECH_S = (0.4, 8.0)  # From the shortest speech that serving scores to the longest window.
MIXED_SHARE = 0.33
SHARE_STREAM = 1  # Which utterances are taken is drawn apart from what happens to them.
NONSPEECH_CHAIN = Chain(noise=0.1, equaliser=0.4, telephone=0.15, opus=0.6)


def normalise(signal: Signal) -> Signal:
    """Prepare a window as serving does."""
    return prepare(signal, FRONT_END)


def is_taken(copy: Copy, index: int, utterance: DecodedUtterance) -> bool:
    """Say whether a copy has a window of the utterance with that index."""
    if utterance.is_assumed and not copy.is_for_all:
        return False
    return happens(copy.share, np.random.default_rng([copy.seed, index, SHARE_STREAM]))


def count_copy(utterances: tuple[DecodedUtterance, ...], copy: Copy) -> int:
    """Return how many windows `make_copy` yields."""
    return sum(is_taken(copy, index, utterance) for index, utterance in enumerate(utterances))


def make_copy(utterances: tuple[DecodedUtterance, ...], copy: Copy) -> Iterator[Window]:
    """Yield one window of every utterance the copy takes, at most 8 s long; each has its own seed, so order does not matter."""
    for index, utterance in enumerate(utterances):
        if not is_taken(copy, index, utterance):
            continue
        rng = np.random.default_rng([copy.seed, index])
        signal = vary_voice(utterance.signal, rng) if copy.is_varied else utterance.signal
        distorted = distort(signal, copy.chain, rng)
        if copy.is_everyday:
            distorted = pass_channel(distorted, CHANNELS[str(rng.choice(sorted(CHANNELS)))], rng)
        signal = normalise(reduce_signal(distorted, copy.cut)[:WINDOW_SAMPLES])
        yield Window(signal, utterance.speaker, utterance.label, utterance.path.stem)


def join_note(utterances: list[DecodedUtterance], n_samples: int, rng: np.random.Generator) -> Signal:
    """Lay utterances of one speaker one after another with 0.2-1.5 s of faint room noise between them."""
    parts: list[Signal] = []
    total = 0
    while total < 1.25 * n_samples:
        utterance = utterances[int(rng.integers(len(utterances)))]
        gap = np.zeros(int(rng.uniform(0.2, 1.5) * SAMPLING_RATE_HZ), dtype=np.float32)
        trimmed, _ = librosa.effects.trim(utterance.signal, top_db=35)
        parts += [normalise(np.asarray(trimmed)) if trimmed.size else utterance.signal, gap]
        total += trimmed.size
    note = np.concatenate(parts)
    floor = 10 ** (rng.uniform(*LOW_NOISE_DB) / 20) * rng.standard_normal(note.size)
    return normalise((note + floor).astype(np.float32))


def _group(utterances: tuple[DecodedUtterance, ...]) -> Groups:
    """Return who may be joined: where speakers are not known, several voices would be in one window."""
    groups: Groups = defaultdict(list)
    for utterance in utterances:
        if utterance.is_speaker_known:
            groups[utterance.speaker, utterance.label].append(utterance)
    return groups


def _plan_notes(utterances: tuple[DecodedUtterance, ...], copy: Copy) -> list[tuple[tuple[str, str], int]]:
    """Return speaker and label of each joined window, and which of theirs it is."""
    groups = _group(utterances)
    n_labels = Counter(speaker for speaker, _ in groups)
    return [(group, turn) for group in sorted(groups) for turn in range(copy.notes_per_speaker // n_labels[group[0]])]


def count_notes(utterances: tuple[DecodedUtterance, ...], copy: Copy) -> int:
    """Return how many windows `make_notes` yields."""
    return len(_plan_notes(utterances, copy))


def make_notes(utterances: tuple[DecodedUtterance, ...], copy: Copy) -> Iterator[Window]:
    """Yield joined same-speaker, same-label windows of 3 to 8 s, `notes_per_speaker` a speaker."""
    groups = _group(utterances)
    places = {group: index for index, group in enumerate(sorted(groups))}
    for (speaker, label), turn in _plan_notes(utterances, copy):
        rng = np.random.default_rng([copy.seed, places[speaker, label], turn])
        n_samples = int(rng.uniform(3.0, 8.0) * SAMPLING_RATE_HZ)
        distorted = distort(join_note(groups[speaker, label], n_samples, rng), copy.chain, rng)
        speech = reduce_signal(distorted, copy.cut)
        first = int(rng.integers(max(1, speech.size - n_samples + 1)))
        signal = normalise(speech[first : first + n_samples])
        yield Window(signal, speaker, label, f"{copy.name}-{speaker}-{label}-{turn}")


def make_nonspeech(seed: int, *, per_kind: int = NONSPEECH_PER_KIND) -> Iterator[Window]:
    """Yield windows of 0.4 to 8 s, as many under 1.8 s as over it, of every kind in `MAKERS`, a third mixed with another kind."""
    shortest, longest = np.log(NONSPEECH_S)
    kinds = sorted(MAKERS)
    for index, kind in enumerate(kinds):
        for turn in range(per_kind):
            rng = np.random.default_rng([seed, index, turn])
            n_samples = int(np.exp(rng.uniform(shortest, longest)) * SAMPLING_RATE_HZ)
            sound = make_sound(kind, n_samples, rng)
            name = kind
            if happens(MIXED_SHARE, rng):
                other = str(rng.choice(kinds))
                sound = sound + make_sound(other, n_samples, rng) * np.float32(rng.uniform(0.05, 0.6))
                name = f"{kind}+{other}"
            level = np.float32(10 ** (rng.uniform(-40, -1) / 20))
            distorted = distort(normalise(sound) * level, NONSPEECH_CHAIN, rng)
            yield Window(normalise(distorted), f"sound-{turn}", kind, f"{name}-{turn}")
