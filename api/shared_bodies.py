"""What the documents of several routes have in common."""

from typing import Any

from pydantic import BaseModel, ConfigDict

SCORES = {"anger": 0.08, "happiness": 0.11, "neutral": 0.62, "sadness": 0.19}  # of examples
RELATIVE_SCORES = {"anger": 0.12, "happiness": 0.2, "neutral": 0.37, "sadness": 0.31}
MODEL = {"name": "speech-emotion", "version": "0.6.0"}
NEXT_CURSOR = "For the next page; null on the last one."


def example(document: dict[str, Any]) -> ConfigDict:
    """Give a document an example of itself."""
    return ConfigDict(json_schema_extra={"examples": [document]})


class ModelName(BaseModel):
    """Which model version scored something."""

    name: str
    version: str


def name_model(name: str | None, version: str | None) -> ModelName | None:
    """Write the name of a model, where there is one."""
    return None if name is None or version is None else ModelName(name=name, version=version)
