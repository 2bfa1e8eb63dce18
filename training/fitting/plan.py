"""What one run is: corpora, protocol, backbone, recipe and seed, as one record on disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from training.corpora import Corpus, find_sets
from training.data.files import hash_file, read_json, read_record, write_json
from training.data.views import Source
from training.fitting.recipe import Recipe, Stages
from training.nets.backbones import list_backbones
from training.protocols import (
    Protocol,
    cross_corpora,
    cross_validate_speakers,
    hold_out_shuffled,
    leave_one_session_out,
)

PLAN_FILE, STEPS_FOLDER = "plan.json", "steps"
ALL_EVERYDAY = "everyday"
STAGED_BACKBONE = "whisper-base"
STAGED_CORPUS = "crema-d"


class PlanMismatch(Exception):
    """A folder that holds another run; the message names what differs."""


def _test_last(corpora: Sequence[Corpus], seed: int) -> Protocol:
    if len(corpora) < 2:  # noqa: PLR2004 - one to train on, one to test
        raise ValueError(f"cross-corpus of {len(corpora)} corpora, allowed are 2 and more: the last one is tested")
    return cross_corpora(corpora[:-1], corpora[-1], seed=seed)


# The first corpus is divided, the others only train, unless said otherwise.
_PROTOCOLS: Mapping[str, Callable[[Sequence[Corpus], int], Protocol]] = {
    "speakers": lambda corpora, seed: cross_validate_speakers(corpora[:1], seed=seed, further=corpora[1:]),
    "loso": lambda corpora, _: leave_one_session_out(corpora[0], further=corpora[1:]),
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
    """Return name and absolute folder of each NAME=FOLDER; `everyday=FOLDER` stands for all sets below it.

    Raises:
        ValueError: one is not of that form.
        FileNotFoundError: no set is there.
    """
    pairs = [item.partition("=") for item in corpora]
    for name, equals, folder in pairs:
        if not (name and equals and folder):
            raise ValueError(f"corpus {name + equals + folder!r} is not NAME=FOLDER")
    found = [
        pair
        for name, _, folder in pairs
        for pair in (find_sets(Path(folder)) if name == ALL_EVERYDAY else ((name, Path(folder)),))
    ]
    return tuple((name, str(folder.resolve())) for name, folder in found)


def resolve_pretrained(pretrained: str | None) -> str | None:
    """Return a path that holds from any folder; what is no path stays a name for transformers."""
    is_path = pretrained is not None and Path(pretrained).exists()
    return str(Path(pretrained).resolve()) if pretrained is not None and is_path else pretrained


@dataclass(frozen=True)
class Plan:
    """One training run.

    Attributes:
        corpora: name of the layout and folder of each.
        protocol: one of `PROTOCOLS`; a recipe with stages has `speakers`, and folds of its own.
        backbone: one of `training.nets.backbones.list_backbones()`.
        recipe: how it trains.
        seed: of folds, start values, order, augmentation and dropout; with stages, of heads.
        pretrained: folder, file or name that the backbone loads; None starts from chance.
        pretrained_sha256: of that file, where it is one.
        name, version: of the bundle that a recipe with stages ends in; rows in SQL point to them.
        revision: of this code, for the record.
        steps: absolute folder of the stages' steps, which runs can share that go one after the other; None is in the run's own.
    """

    corpora: tuple[tuple[str, str], ...]
    protocol: str
    backbone: str
    recipe: Recipe
    seed: int = 0
    pretrained: str | None = None
    pretrained_sha256: str | None = None
    name: str = "speech-emotion"
    version: str = "0.0.0"
    revision: str = "unknown"
    steps: str | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be run.

        Raises:
            ValueError: there is no corpus, no such protocol or backbone, or the recipe's stages do not go with them.
        """
        if not self.corpora:
            raise ValueError("0 corpora, allowed are 1 and more, each as NAME=FOLDER")
        if self.protocol not in _PROTOCOLS:
            raise ValueError(f"protocol {self.protocol!r} is unknown, allowed are {list(PROTOCOLS)}")
        if self.backbone not in list_backbones():
            raise ValueError(f"--backbone is {self.backbone!r}, allowed are {list(list_backbones())}")
        if self.recipe.stages is not None:
            self._check_stages()

    def _check_stages(self) -> None:
        names = [name for name, _ in self.corpora]
        if self.protocol != PROTOCOLS[0]:
            raise ValueError(
                f"--protocol is {self.protocol!r}, and recipe {self.recipe.name} has folds of speakers alone; "
                "others go with --recipe frozen, paper or scratch"
            )
        if self.backbone != STAGED_BACKBONE:
            raise ValueError(
                f"--backbone is {self.backbone!r}, and recipe {self.recipe.name} allows {STAGED_BACKBONE} alone; "
                "others go with --recipe frozen, paper or scratch"
            )
        further = {item.corpus for item in self.stages.tune.further}
        if names[0] != STAGED_CORPUS or not further <= set(names[1:]) or len(set(names)) < len(names):
            expected = ", ".join(f"{name}=FOLDER" for name in (STAGED_CORPUS, *sorted(further)))
            raise ValueError(
                f"{len(names)} corpora {names}; recipe {self.recipe.name} trains on {expected}, each once; "
                "--without NAME leaves one out"
            )
        if self.pretrained_sha256 is None:
            raise ValueError(
                "no --pretrained; allowed is a safetensors file of Whisper base's encoder, as training/README.md says"
            )

    @property
    def stages(self) -> Stages:
        """The stages of the recipe.

        Raises:
            ValueError: it has none.
        """
        return self.recipe.find_stages()

    @property
    def trained(self) -> tuple[str, ...]:
        """Layouts of the corpora that train; others of the plan are given and left out."""
        return (self.corpora[0][0], *(item.corpus for item in self.stages.tune.further))

    def find_steps(self, out: Path) -> Path:
        """Return the folder of the stages' steps of a run in a folder."""
        return out / STEPS_FOLDER if self.steps is None else Path(self.steps)

    def find_source(self, folders: Mapping[str, str] | None = None) -> Source:
        """Return where the windows of the stages come from.

        Args:
            folders: by layout, of corpora that have moved.

        Raises:
            ValueError: a folder is of a corpus that the plan has not.
        """
        moved, known = dict(folders or {}), dict(self.corpora)
        if strange := sorted(set(moved) - set(known)):
            raise ValueError(
                f"corpora {strange} are none of the run's; allowed are those that have moved, of {[*known]}"
            )
        left_out = tuple(name for name in known if name not in self.trained)
        return Source(tuple({**known, **moved}.items()), left_out, self.stages.amounts)

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


def hash_pretrained(pretrained: str | None) -> str | None:
    """Return the hash of the weights where they are one file, else None."""
    return hash_file(Path(pretrained)) if pretrained is not None and Path(pretrained).is_file() else None


def write_plan(plan: Plan, folder: Path) -> None:
    """Write the plan into its folder, or see that the folder holds the same one.

    Raises:
        PlanMismatch: the folder holds another plan; revision and places of corpora, weights and steps may differ.
    """
    if (folder / PLAN_FILE).is_file():
        held, mine = (_identify(item) for item in (read_plan(folder), plan))
        if differing := sorted(key for key, value in mine.items() if held[key] != value):
            raise PlanMismatch(f"{folder} holds a run with another {', '.join(differing)}; choose another folder")
        return
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / PLAN_FILE, asdict(plan))


def _identify(plan: Plan) -> dict[str, Any]:
    values = {key: value for key, value in asdict(plan).items() if key not in {"revision", "steps"}}
    if plan.pretrained_sha256 is not None:
        del values["pretrained"]
    return {**values, "corpora": [name for name, _ in plan.corpora]}


def read_plan(folder: Path) -> Plan:
    """Read the plan of a run's folder.

    Raises:
        FileNotFoundError: the folder holds no run.
    """
    source = folder / PLAN_FILE
    if not source.is_file():
        raise FileNotFoundError(
            f"{folder} holds no {PLAN_FILE}; `tonalog train NAME=FOLDER --recipe default --pretrained FILE --out {folder}` makes one"
        )
    return read_record(Plan, read_json(source))
