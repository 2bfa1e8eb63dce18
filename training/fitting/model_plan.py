"""What one run that makes the model is, as one record on disk, and where in its folder everything lies; it makes nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from training.data.files import write_json
from training.data.views import Source
from training.fitting.model_recipe import ModelRecipe, read_recipe
from training.fitting.plan import PlanMismatch

PLAN_FILE = "model.json"


@dataclass(frozen=True)
class ModelPlan:
    """One run.

    Attributes:
        crema_d: absolute folder of CREMA-D.
        encoder: absolute path of the start weights, safetensors.
        encoder_sha256: of that file.
        recipe: how.
        seed: of heads.
        name, version: of the bundle; rows in SQL point to them.
        revision: of this code, for the record.
    """

    crema_d: str
    encoder: str
    encoder_sha256: str
    recipe: ModelRecipe
    seed: int
    name: str
    version: str
    revision: str

    def find_source(self, *, crema_d: Path | None = None, emodb: Path | None = None) -> Source:
        """Return where windows come from; another folder of CREMA-D where it has moved."""
        return Source(crema_d or Path(self.crema_d), emodb, self.recipe.amounts)


@dataclass(frozen=True)
class Places:
    """Where everything lies in a run's folder.

    Attributes:
        root: the folder.
    """

    root: Path

    @property
    def frames(self) -> Path:
        """Frames after the encoder's first layer, one pair of files a copy."""
        return self.root / "frames"

    @property
    def features(self) -> Path:
        """The tuned encoder as graphs, and what the int8 one says, one file a copy."""
        return self.root / "features"

    @property
    def gate(self) -> Path:
        """The speech head."""
        return self.root / "gate.safetensors"

    @property
    def graph(self) -> Path:
        """The finished graph at the recipe's calibration, and what was measured of it."""
        return self.root / "graph"

    @property
    def evaluation(self) -> Path:
        """What `tonalog evaluate default` measured, with the graph at the calibration that it found."""
        return self.root / "evaluation"

    def find_run(self, fold: int | None, seed: int) -> Path:
        """Return the folder of a net tuned with one seed; `fold` is whose speakers were left out, None for nobody's."""
        return self._find_fold(fold) / f"seed-{seed}"

    def find_mean(self, fold: int | None, seeds: Sequence[int]) -> Path:
        """Return the folder of the mean of a fold's nets of some seeds; that of all seeds and speakers ships."""
        return self._find_fold(fold) / "-".join(["mean", *map(str, seeds)])

    def _find_fold(self, fold: int | None) -> Path:
        return self.root / ("all" if fold is None else f"fold-{fold}")


def hash_file(path: Path) -> str:
    """Return the sha256 of a file in hex.

    Raises:
        FileNotFoundError: there is none.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_model_plan(plan: ModelPlan, folder: Path) -> None:
    """Write the plan into its folder, or see that the folder holds the same one.

    Raises:
        PlanMismatch: the folder holds another plan; revision and place of the corpus may differ.
    """
    if (folder / PLAN_FILE).is_file():
        held, mine = (_identify(one) for one in (read_model_plan(folder), plan))
        if differing := sorted(key for key, value in mine.items() if held[key] != value):
            raise PlanMismatch(f"{folder} holds a run with another {', '.join(differing)}; choose another folder")
        return
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / PLAN_FILE, asdict(plan))


def _identify(plan: ModelPlan) -> dict[str, Any]:
    return {key: value for key, value in asdict(plan).items() if key not in {"crema_d", "encoder", "revision"}}


def read_model_plan(folder: Path) -> ModelPlan:
    """Read the plan of a run's folder.

    Raises:
        FileNotFoundError: the folder holds no such run.
    """
    source = folder / PLAN_FILE
    if not source.is_file():
        raise FileNotFoundError(
            f"{folder} holds no {PLAN_FILE}; `tonalog train crema-d=FOLDER --recipe default --pretrained FILE --out {folder}` "
            "makes one"
        )
    values: dict[str, Any] = json.loads(source.read_text(encoding="utf-8"))
    return ModelPlan(**{**values, "recipe": read_recipe(values["recipe"])})
