"""What one training run is: corpora, protocol, backbone, recipe and seed, as one record on disk; it trains nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from training.corpora import Corpus
from training.fitting.recipe import Recipe, read_recipe
from training.protocols import (
    Protocol,
    cross_corpora,
    cross_validate_speakers,
    hold_out_shuffled,
    leave_one_session_out,
)

PLAN_FILE = "plan.json"


class PlanMismatch(Exception):
    """A folder that holds another run; the message names what differs."""


def _test_last(corpora: Sequence[Corpus], seed: int) -> Protocol:
    if len(corpora) < 2:  # noqa: PLR2004 - one to train on, one to test
        raise ValueError(f"cross-corpus of {len(corpora)} corpora, allowed are 2 and more: the last one is tested")
    return cross_corpora(corpora[:-1], corpora[-1], seed=seed)


# The first corpus is divided, the others only train, unless said otherwise.
_PROTOCOLS: Mapping[str, Callable[[Sequence[Corpus], int], Protocol]] = {
    "loso": lambda corpora, _: leave_one_session_out(corpora[0], further=corpora[1:]),
    "speakers": lambda corpora, seed: cross_validate_speakers(corpora[:1], seed=seed, further=corpora[1:]),
    "production": lambda corpora, seed: hold_out_shuffled(corpora, seed=seed),
    "cross-corpus": _test_last,
}
PROTOCOLS = tuple(_PROTOCOLS)


def _refuse_assumed(protocol: Protocol) -> None:
    """Refuse what nobody rated: a run gives all utterances one weight, and at that weight every strange voice is neutral."""
    assumed = sorted({u.corpus for split in protocol.splits for u in split.train if u.is_assumed})
    if assumed:
        raise ValueError(
            f"{', '.join(assumed)} would train with full weight, and nobody rated it (kind assumed_neutral); "
            "allowed are corpora whose emotions somebody acted or judged"
        )


def parse_corpora(corpora: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return name and absolute folder of each NAME=FOLDER.

    Raises:
        ValueError: one is not of that form.
    """
    pairs = [one.partition("=") for one in corpora]
    for name, equals, folder in pairs:
        if not (name and equals and folder):
            raise ValueError(f"corpus {name + equals + folder!r} is not NAME=FOLDER")
    return tuple((name, str(Path(folder).resolve())) for name, _, folder in pairs)


def resolve_pretrained(pretrained: str | None) -> str | None:
    """Return a path that holds from any folder; what is no path stays a name for transformers."""
    is_path = pretrained is not None and Path(pretrained).exists()
    return str(Path(pretrained).resolve()) if pretrained is not None and is_path else pretrained


@dataclass(frozen=True)
class Plan:
    """One training run.

    Attributes:
        corpora: name of the layout and folder of each.
        protocol: one of `PROTOCOLS`.
        backbone: one of `training.nets.backbones.list_backbones()`.
        recipe: how it trains.
        seed: of folds, start values, order, augmentation and dropout.
        pretrained: folder, file or name that the backbone loads; None starts from chance.
    """

    corpora: tuple[tuple[str, str], ...]
    protocol: str
    backbone: str
    recipe: Recipe
    seed: int = 0
    pretrained: str | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be run.

        Raises:
            ValueError: there is no corpus or no such protocol.
        """
        if not self.corpora:
            raise ValueError("0 corpora, allowed are 1 and more, each as NAME=FOLDER")
        if self.protocol not in _PROTOCOLS:
            raise ValueError(f"protocol {self.protocol!r} is unknown, allowed are {list(PROTOCOLS)}")

    def divide(self, corpora: Sequence[Corpus]) -> Protocol:
        """Return who trains, validates and is tested.

        Args:
            corpora: those of the plan, loaded, in its order.

        Raises:
            ValueError: the corpora do not fit the protocol, or what nobody rated would train.
            LeakError: somebody is on two sides.
            RoleError: what may only train is tested, or what may only be tested trains.
        """
        protocol = _PROTOCOLS[self.protocol](corpora, self.seed)
        _refuse_assumed(protocol)
        return protocol


def write_plan(plan: Plan, folder: Path) -> None:
    """Write the plan into its folder, or see that the folder holds the same one.

    Raises:
        PlanMismatch: the folder holds another plan.
    """
    target = folder / PLAN_FILE
    if target.is_file():
        held = read_plan(folder)
        differing = sorted(key for key, value in asdict(plan).items() if asdict(held)[key] != value)
        if differing:
            raise PlanMismatch(f"{folder} holds a run with another {', '.join(differing)}; choose another folder")
        return
    folder.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(asdict(plan), indent=1) + "\n", encoding="utf-8")


def read_plan(folder: Path) -> Plan:
    """Read the plan of a run's folder.

    Raises:
        FileNotFoundError: the folder holds no run.
    """
    source = folder / PLAN_FILE
    if not source.is_file():
        raise FileNotFoundError(f"{folder} holds no {PLAN_FILE}; `tonalog train --out {folder}` makes one")
    values: dict[str, Any] = json.loads(source.read_text(encoding="utf-8"))
    corpora = tuple((name, path) for name, path in values["corpora"])
    return Plan(**{**values, "corpora": corpora, "recipe": read_recipe(values["recipe"])})
