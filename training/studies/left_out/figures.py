"""What is known of one bundle on one corpus; values, and nothing is measured here."""

from __future__ import annotations

from dataclasses import dataclass

from training.measures.bootstrap import Interval


@dataclass(frozen=True)
class BaselineFigures:
    """What an own baseline of ten notes, 70 % neutral, does to the notes whose speaker has ten others.

    Attributes:
        n_judged: how many notes those are.
        as_it_is: their UAR without a baseline.
        middle: their UAR by the rule of the middle mix (version 1), mean over draws.
        middle_spread: deviation over draws.
        own: their UAR by the rule of the bundle's manifest, mean over the same draws; None where it has none.
        own_spread: deviation over draws.
        calibration_error: ECE by the rule of the manifest, mean over draws; None where it has none, as the next two.
        coverage: share of the judged notes that it labels with certainty.
        error: share of wrong labels among them.
    """

    n_judged: int
    as_it_is: float
    middle: float
    middle_spread: float
    own: float | None
    own_spread: float | None
    calibration_error: float | None
    coverage: float | None
    error: float | None


@dataclass(frozen=True)
class LabelledFigures:
    """Figures of one labelled corpus.

    Attributes:
        name: of the corpus.
        is_trained: whether the bundle was trained on it.
        n: recordings.
        n_speakers: None where the corpus has no speaker ids.
        n_unscored: recordings that serving gives no scores; each counts as a wrong one.
        recall: unweighted mean recall (UAR).
        recall_of_scored: the same of what has scores alone; 0 where nothing has.
        interval: of `recall`, drawn over speakers; None where there are no speaker ids.
        recalls: of each label that occurs.
        baseline: None where nothing is known of training, and where no speaker has enough notes.
        calibration_error: ECE of what has scores; None where nothing has.
        coverage: share of all recordings that are labelled with certainty.
        error: share of wrong labels among them; None where there are none.
    """

    name: str
    is_trained: bool
    n: int
    n_speakers: int | None
    n_unscored: int
    recall: float
    recall_of_scored: float
    interval: Interval | None
    recalls: dict[str, float]
    baseline: BaselineFigures | None
    calibration_error: float | None
    coverage: float
    error: float | None


@dataclass(frozen=True)
class Shares:
    """How some recordings of ordinary speech are called.

    Attributes:
        n: recordings.
        n_scored: of them, those with scores.
        neutral: share of the scored that are called neutral, with certainty or not; None where nothing is scored.
        uncertain: share of the scored whose confidence is under the limit, whatever the label.
        wrong: share of the scored that are called something else with certainty.
        vad: share of all that has no scores because the voice activity detector found no speech.
        short: share of all that has none because it found less than `min_speech_ms`.
        gate: share of all that has none because the speech gate turned it away.
    """

    n: int
    n_scored: int
    neutral: float | None
    uncertain: float | None
    wrong: float | None
    vad: float | None
    short: float | None
    gate: float | None


@dataclass(frozen=True)
class OrdinaryFigures:
    """Figures of one set of ordinary speech.

    Attributes:
        name: of the set.
        is_trained: whether the bundle was trained on it.
        n_speakers: None where the set has no speaker ids.
        everything: all its recordings.
        words: its recordings of 0.4 to 1.2 s.
    """

    name: str
    is_trained: bool
    n_speakers: int | None
    everything: Shares
    words: Shares
