"""How a system is trained: every choice as one frozen record of plain values."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from training.data.copies import CLEAN, TRAINED
from training.data.views import Amounts
from training.data.windows import Preparation
from training.nets.shape import FULL, EncoderShape


@dataclass(frozen=True)
class Fit:
    """Loss and schedule of AdamW. The defaults are the paper's (Ismail 2025, arXiv 2512.23435).

    Attributes:
        epochs: at most.
        batch_size: windows a step.
        peak_learning_rate: reached after the warm-up, then a cosine down to 0.
        warm_up: share of all steps, 0 to under 1.
        weight_decay: of AdamW.
        patience: epochs without a better validation UA before it stops, where windows validate.
        gamma: of the focal loss; 0 is cross-entropy.
        label_smoothing: share of the target spread over all labels.
        is_class_balanced: whether the loss weighs labels by balanced class weights.
    """

    epochs: int = 25
    batch_size: int = 16
    peak_learning_rate: float = 5e-5
    warm_up: float = 0.1
    weight_decay: float = 0.01
    patience: int = 6
    gamma: float = 2.0
    label_smoothing: float = 0.1
    is_class_balanced: bool = True

    def __post_init__(self) -> None:
        """Refuse values out of range.

        Raises:
            ValueError: a value is out of range; the message names it and what was allowed.
        """
        for name in ("epochs", "batch_size", "patience"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, allowed are 1 and more")
        if not self.peak_learning_rate > 0.0:
            raise ValueError(f"peak_learning_rate is {self.peak_learning_rate}, allowed are values over 0")
        for name in ("warm_up", "label_smoothing"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise ValueError(f"{name} is {getattr(self, name)}, allowed are 0 to under 1")
        for name in ("weight_decay", "gamma"):
            if getattr(self, name) < 0.0:
                raise ValueError(f"{name} is {getattr(self, name)}, allowed are 0 and more")


@dataclass(frozen=True)
class Further:
    """A corpus that trains beside the first one.

    Attributes:
        corpus: name of its layout.
        weight: of all its windows in the loss beside all of the first corpus's, over 0.
        drawn: share of a round's windows that are its own, 0 to under 1. It changes how many different ones are seen and not
            what they weigh.
    """

    corpus: str
    weight: float
    drawn: float

    def __post_init__(self) -> None:
        """Refuse values out of range.

        Raises:
            ValueError: a value is out of range; the message names it and what was allowed.
        """
        if not self.weight > 0.0:
            raise ValueError(
                f"{self.corpus} has the weight {self.weight}, allowed is over 0; leave out what shall not weigh"
            )
        if not 0.0 < self.drawn < 1.0:
            raise ValueError(f"{self.corpus} has {self.drawn} of a round, allowed is over 0 and under 1")


@dataclass(frozen=True)
class Tune:
    """How the encoder's upper layers are tuned: AdamW with warm-up and cosine, weights averaged over the last steps.

    Attributes:
        epochs: rounds.
        copies: names of the views that train, `clean` among them.
        windows: drawn without replacement from all copies for each round.
        batch_size: windows a step.
        layer_rate, head_rate: peak learning rates.
        weight_decay: of AdamW.
        warm_up: share of all steps.
        averaged: share of all steps, the last ones, whose weights are averaged.
        clip: largest norm of a gradient.
        hidden: largest share of a window's frames, in one run of them, that is left out of a step, 0 to under 1.
        votes: share of the listeners' votes in a window's target, 0 to 1.
        kept: share of what tuning changed that stays, 0 to 1; the rest is the untuned encoder with its own head.
        seeds: of the order of windows and of dropout; tuning starts once with each, from one head, and their nets are
            averaged (model soup, Wortsman et al. 2022).
        further: corpora that train beside the first one.
    """

    epochs: int = 3
    copies: tuple[str, ...] = TRAINED
    windows: int = 5000
    batch_size: int = 16
    layer_rate: float = 1e-4
    head_rate: float = 2e-4
    weight_decay: float = 0.01
    warm_up: float = 0.1
    averaged: float = 0.34
    clip: float = 1.0
    hidden: float = 0.0
    votes: float = 0.0
    kept: float = 1.0
    seeds: tuple[int, ...] = (0,)
    further: tuple[Further, ...] = ()

    def __post_init__(self) -> None:
        """Refuse values out of range.

        Raises:
            ValueError: a value is out of range; the message names it and what was allowed.
        """
        if CLEAN.name not in self.copies:
            raise ValueError(f"copies are {list(self.copies)}, allowed are views with {CLEAN.name} among them")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds are {list(self.seeds)}, allowed are 1 and more different ones")
        for name in ("hidden", "votes", "kept", "averaged"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} is {getattr(self, name)}, allowed are 0 to 1")
        if (drawn := sum(item.drawn for item in self.further)) >= 1.0:
            raise ValueError(f"further corpora have {drawn} of a round, allowed is under 1")


@dataclass(frozen=True)
class Calibration:
    """What turns scores into statements.

    A choice, made on corpora that the nets are not trained on: on its own corpus every net is surer than elsewhere. The commands
    that print what to choose are `tonalog evaluate left-out --calibrate` and, of what a baseline is taken out of, `personal`.

    Attributes:
        temperature: that the emotion logits are divided by, over 0.
        uncertain_below: a confidence under it is uncertain, 0 to 1.
        relative_temperature: that scores without a person's own baseline are divided by once more, over 0.
        relative_uncertain_below: a relative confidence under it is uncertain, 0 to 1.
    """

    temperature: float
    uncertain_below: float
    relative_temperature: float = 1.0
    relative_uncertain_below: float = 0.75


@dataclass(frozen=True)
class Limits:
    """What a bundle may cost; beyond any of it none is written.

    Attributes:
        max_ua_change: of int8 against float32 on speakers that the net was not trained on.
        max_clean_miss: share of clean speech that the gate may call no speech.
        max_white: share of white noise that the gate may call speech.
    """

    max_ua_change: float = 0.01
    max_clean_miss: float = 0.01
    max_white: float = 0.0


@dataclass(frozen=True)
class Stages:
    """What a recipe adds that ends in a bundle: stages cache, tune, average, gate and export.

    Attributes:
        tune: how the encoder's upper layers and the emotion head are tuned; the head that they start from is fitted as the
            recipe itself says.
        gate: how the speech head is fitted.
        amounts: of windows.
        calibration: of the bundle.
        speech_threshold: a window under it is no speech, 0 to 1.
        limits: what a bundle may cost.
        encoder: shape of the encoder, from the frames that are cached to the graph that scores.
    """

    tune: Tune
    gate: Fit
    amounts: Amounts
    calibration: Calibration
    speech_threshold: float = 0.5
    limits: Limits = Limits()
    encoder: EncoderShape = FULL


@dataclass(frozen=True)
class Recipe(Fit, Preparation):
    """Windows, loss and schedule of a net or, where there are stages, of the head that tuning starts from.

    Attributes:
        name: of the preset that it began as.
        stages: of a recipe that ends in a bundle; None for one that trains the folds of a protocol.
    """

    name: str = "paper"
    stages: Stages | None = None

    def __post_init__(self) -> None:
        """Refuse values out of range.

        Raises:
            ValueError: a value is out of range; the message names it and what was allowed.
        """
        super().__post_init__()
        if not self.max_duration_s > 0.0:
            raise ValueError(f"max_duration_s is {self.max_duration_s}, allowed are values over 0")

    def find_stages(self) -> Stages:
        """Return the stages.

        Raises:
            ValueError: there are none.
        """
        if self.stages is None:
            raise ValueError(f"recipe {self.name} trains folds and has no stages; --recipe default or smoke has")
        return self.stages

    def as_dict(self) -> dict[str, Any]:
        """Return every value as JSON can hold it; `training.data.files.read_record` reads it."""
        return asdict(self)
