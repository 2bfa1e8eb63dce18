"""The training loop of nets on waveforms: seeded, resumable after any epoch, stopped early on validation UA."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from training.data.windows import WindowSet
from training.fitting.checkpoint import load_checkpoint, put_state, save_checkpoint, take_state
from training.fitting.epochs import run_epoch
from training.fitting.predict import predict
from training.fitting.recipe import Fit
from training.measures.metrics import measure_ua
from training.nets.losses import balance_classes, compute_focal_loss


@dataclass(frozen=True)
class Epoch:
    """What one pass over the training windows gave.

    Attributes:
        number: from 0.
        loss: mean over training windows.
        ua: unweighted accuracy on the validation windows, 0 to 1; None where there are none.
        learning_rate: after the last step.
    """

    number: int
    loss: float
    ua: float | None
    learning_rate: float


@dataclass(frozen=True)
class Fitted:
    """How training went; the net holds the weights of the best epoch.

    Attributes:
        epochs: all that ran, of earlier calls too.
        best: the epoch of highest validation UA, the earliest of equals; the last one where nothing validates.
    """

    epochs: tuple[Epoch, ...]
    best: Epoch


@dataclass(frozen=True)
class Progress:
    """Where training is: epochs that are done, the share of the present one, and the best UA so far."""

    n_epochs_done: int
    share: float
    best_ua: float | None


def shape_rate(step: int, n_steps: int, warm_up: float) -> float:
    """Return the share of the peak learning rate at a step: linear warm-up, then half a cosine down to 0."""
    n_warm = int(warm_up * n_steps)
    if step < n_warm:
        return (step + 1) / (n_warm + 1)
    return 0.5 * (1.0 + math.cos(math.pi * (step - n_warm) / max(1, n_steps - n_warm)))


class _Run:
    """The moving parts of one training run."""

    def __init__(self, net: Any, train: WindowSet, recipe: Fit, *, seed: int, device: str) -> None:
        self.net, self.train, self.recipe, self.seed, self.device = net.to(device), train, recipe, seed, device
        self.n_batches = -(-len(train) // recipe.batch_size)
        trained = [parameter for parameter in net.parameters() if parameter.requires_grad]
        self.optimiser = torch.optim.AdamW(trained, lr=recipe.peak_learning_rate, weight_decay=recipe.weight_decay)
        n_steps = recipe.epochs * self.n_batches
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimiser, lambda step: shape_rate(step, n_steps, recipe.warm_up)
        )
        target = torch.from_numpy(train.target)
        weight = balance_classes(target, len(train.labels))
        self.weight = (weight if recipe.is_class_balanced else torch.ones_like(weight)).to(device)
        self.epochs: list[Epoch] = []
        self.best_state: dict[str, Any] = {}

    @property
    def best(self) -> Epoch:
        judged = [epoch for epoch in self.epochs if epoch.ua is not None]
        return max(judged, key=lambda epoch: epoch.ua or 0.0) if judged else self.epochs[-1]

    @property
    def is_over(self) -> bool:
        if not self.epochs:
            return False
        n_stale = self.epochs[-1].number - self.best.number
        return len(self.epochs) >= self.recipe.epochs or n_stale >= self.recipe.patience

    def run_epoch(self, report: Callable[[float], None]) -> float:
        """Train on every window once and return the mean loss."""
        number = len(self.epochs)
        order = np.random.default_rng([self.seed, number]).permutation(len(self.train))
        # Even batches: a last one of a single window would have no variance to normalise by.
        batches = np.array_split(order, self.n_batches)
        return run_epoch(
            self.net,
            batches,
            lambda rows: self._compute_loss(rows, number),
            optimiser=self.optimiser,
            schedule=self.schedule,
            on_step=lambda n_done: report(n_done / self.n_batches),
        )

    def _compute_loss(self, rows: NDArray[np.int64], epoch: int) -> Any:
        waveform, target = self.train.make_batch(rows, seed=(self.seed, epoch))
        return compute_focal_loss(
            self.net(torch.from_numpy(waveform).to(self.device)),
            torch.from_numpy(target).to(self.device),
            self.weight,
            gamma=self.recipe.gamma,
            label_smoothing=self.recipe.label_smoothing,
        )

    def end_epoch(self, loss: float, ua: float | None) -> None:
        """Keep what the epoch gave, and its weights where it is the best."""
        rate = float(self.schedule.get_last_lr()[0])
        self.epochs.append(Epoch(len(self.epochs), loss, ua, rate))
        if self.best is self.epochs[-1]:
            self.best_state = take_state(self.net)

    def save(self, target: Path, fingerprint: dict[str, Any]) -> None:
        content = {
            "fingerprint": fingerprint,
            "epochs": [asdict(epoch) for epoch in self.epochs],
            "net": take_state(self.net),
            "best": self.best_state,
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "rng": torch.get_rng_state(),
        }
        save_checkpoint(target, content)

    def load(self, content: dict[str, Any]) -> None:
        self.epochs = [Epoch(**values) for values in content["epochs"]]
        put_state(self.net, content["net"])
        self.best_state = content["best"]
        self.optimiser.load_state_dict(content["optimiser"])
        self.schedule.load_state_dict(content["schedule"])
        torch.set_rng_state(content["rng"])


def fit(
    net: Any,
    train: WindowSet,
    validate: WindowSet | None,
    *,
    recipe: Fit,
    seed: int,
    checkpoint: Path,
    on_progress: Callable[[Progress], None] = lambda _: None,
    device: str = "cpu",
) -> Fitted:
    """Train a net in place and leave it in evaluation mode with its best weights.

    Where the checkpoint is there, training goes on from it: on the CPU the result is to the bit what it had been
    without the interruption.

    Args:
        net: frozen where it shall not train, built with the same seed each time.
        train: windows to learn from.
        validate: windows of other speakers, for early stopping; None trains every epoch and keeps the last.
        recipe: loss and schedule.
        seed: of order, augmentation and dropout.
        checkpoint: file to keep after every epoch.
        on_progress: called after every step; what it raises stops training after the last finished epoch.
        device: of torch.

    Raises:
        CheckpointMismatch: the checkpoint belongs to another run.
    """
    run = _Run(net, train, recipe, seed=seed, device=device)
    sizes = {"n_train": len(train), "n_validate": 0 if validate is None else len(validate)}
    fingerprint = {"seed": seed, **sizes, **{key: repr(value) for key, value in asdict(recipe).items()}}
    if (content := load_checkpoint(checkpoint, fingerprint)) is not None:
        run.load(content)
    else:
        torch.manual_seed(seed)
    while not run.is_over:
        best = run.best.ua if run.epochs else None
        n_done = len(run.epochs)
        loss = run.run_epoch(lambda share, n=n_done, ua=best: on_progress(Progress(n, share, ua)))  # type: ignore[misc]
        ua = None if validate is None else measure_ua(predict(net, validate, device=device), validate.target)
        run.end_epoch(loss, ua)
        run.save(checkpoint, fingerprint)
    put_state(net, run.best_state)
    net.eval()
    return Fitted(tuple(run.epochs), run.best)
