"""The first stages of a recipe that ends in a bundle, as steps: cache, tune and average."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from training.corpora.votes import VOTES_FILE
from training.data.cached import cache_windows
from training.data.files import hash_file
from training.data.views import Source, find_view, identify_view
from training.fitting.further import spread_recipe
from training.fitting.jobs import Count
from training.fitting.mean import average_runs
from training.fitting.plan import Plan
from training.fitting.steps import Step
from training.fitting.tuned import JUDGED, LeftOut, Start, list_copies, tune_fold
from training.nets.shape import EncoderShape
from training.nets.upper import split_encoder
from training.nets.whisper import load_encoder


@dataclass(frozen=True)
class NetSteps:
    """The steps to a plan's nets.

    Attributes:
        plan: with stages.
        source: of its windows.
    """

    plan: Plan
    source: Source

    @property
    def start(self) -> Start:
        """What every net begins with."""
        return Start(Path(str(self.plan.pretrained)), self.plan.recipe, self.plan.seed, find_votes(self.source))

    def cache_frames(self, name: str) -> Step:
        """Play a copy through the untuned encoder, and keep frames of its lower layers and pooled statistics."""
        shape = self.plan.stages.encoder
        reads = {**identify_view(self.source, name), "encoder": self.plan.pretrained_sha256, "shape": asdict(shape)}
        make = partial(_cache, source=self.source, name=name, weights=self.start.weights, shape=shape)
        return Step(f"frames of {name}", make, reads)

    def tune(self, left_out: LeftOut, seed: int) -> Step:
        """Tune a net without a fold's speakers or some corpora, or on everybody."""
        recipe = {key: value for key, value in asdict(self.plan.recipe).items() if key not in {"name", "stages"}}
        start = self.start
        if isinstance(left_out, tuple):
            start = replace(start, recipe=spread_recipe(start.recipe, left_out))
        how = asdict(start.stages.tune)
        del how["seeds"]
        reads: dict[str, Any] = {
            "fold": left_out,
            "seed": seed,
            "head_seed": self.plan.seed,
            "recipe": recipe,
            "tune": how,
        }
        reads["encoder"] = self.plan.pretrained_sha256
        if self.plan.stages.tune.votes:
            reads["votes"] = hash_file(find_votes(self.source))
        needs = {name: self.cache_frames(name) for name in list_copies(self.plan.stages.tune.copies, left_out)}
        return Step(
            f"{_describe(left_out)}, seed {seed}",
            partial(_tune, start=start, left_out=left_out, seed=seed),
            reads,
            needs,
        )

    def average(self, left_out: LeftOut, seeds: tuple[int, ...]) -> Step:
        """Average the nets of some seeds, and judge the mean on who was left out."""
        runs = {f"seed {seed}": self.tune(left_out, seed) for seed in seeds}
        judged = {} if left_out is None else {name: self.cache_frames(name) for name in JUDGED}
        return Step(f"{_describe(left_out)}, mean", partial(_average, seeds=seeds), {}, {**runs, **judged})


def find_votes(source: Source) -> Path:
    """Return where the listeners' votes of the first corpus lie."""
    return Path(source.trained[0][1]) / VOTES_FILE


def _describe(left_out: LeftOut) -> str:
    if left_out is None:
        return "tuning on every speaker"
    if isinstance(left_out, int):
        return f"tuning without fold {left_out}"
    return f"tuning without {left_out[0]}" if len(left_out) == 1 else f"tuning without {len(left_out)} corpora"


def _cache(
    _: Mapping[str, Path], out: Path, count: Count, *, source: Source, name: str, weights: Path, shape: EncoderShape
) -> None:
    view, encode = find_view(source, name), split_encoder(load_encoder(weights, shape))
    cache_windows(view.make(), encode, out, on_window=lambda done: count(done, view.n_windows))


def _tune(needs: Mapping[str, Path], out: Path, count: Count, *, start: Start, left_out: LeftOut, seed: int) -> None:
    tune_fold(needs, out, start, left_out=left_out, seed=seed, on_step=count)


def _average(needs: Mapping[str, Path], out: Path, _: Count, *, seeds: tuple[int, ...]) -> None:
    average_runs([needs[f"seed {seed}"] for seed in seeds], needs, out)
