"""What is made of the chart in deploy/helm: its schema, the backlog's query in it, and deploy/kubernetes.

`make chart` writes them; tests compare.
"""

import json
import sys
import tempfile
from pathlib import Path

import yaml
from command import ROOT
from pydantic import SecretStr
from servers.helm import run_helm

from config.settings import Settings
from db.backlog import AUDIO_S

CHART = ROOT / "deploy" / "helm" / "tonalog"
RENDERED = ROOT / "deploy" / "kubernetes"
HEADER = "# Made by `make chart` of deploy/helm/tonalog with its default values, for whoever has no Helm.\n"
# Kubernetes says what may be in these.
OPEN = {"resources", "placement", "annotations", "labels", "imagePullSecrets", "to", "from", "also"}
TYPES = {bool: "boolean", int: "integer", str: "string"}


def values():
    """The chart's default values."""
    return yaml.safe_load((CHART / "values.yaml").read_text())


def is_secret(key):
    """Whether a setting is one that no file may hold."""
    annotation = Settings.model_fields[key].annotation
    return SecretStr in getattr(annotation, "__args__", (annotation,))


def make_schema():
    """The schema of values.yaml: what is there and nothing else, with the settings as `config.settings` has them."""
    schema = {"$schema": "https://json-schema.org/draft-07/schema#", **_schema_of(values(), "")}
    schema["properties"]["settings"] = {
        "type": "object",
        "additionalProperties": False,
        "required": ["TONALOG_HOME", "TONALOG_STORAGE_URL"],
        "properties": {
            f"TONALOG_{key.upper()}": _of_setting(found)
            for key, found in Settings.model_json_schema()["properties"].items()
            if not is_secret(key)
        },
    }
    return schema


def _schema_of(value, key):
    if key in OPEN:
        return {"type": "array" if isinstance(value, list) else "object"}
    if isinstance(value, dict):
        parts = {name: _schema_of(part, name) for name, part in value.items()}
        return {"type": "object", "additionalProperties": False, "properties": parts}
    if isinstance(value, list):
        return {"type": "array", "items": _schema_of(value[0], key)}
    return {"type": TYPES[type(value)], **({"minimum": 0} if type(value) is int else {})}


def _of_setting(found):
    kinds = [kind for kind in found.get("anyOf", [found]) if kind.get("type") != "null"]
    (kind,) = kinds
    limits = {name: kind[name] for name in ("enum", "minimum", "maximum", "exclusiveMinimum") if name in kind}
    return {"type": kind["type"], **limits, "description": found["description"]}


def render(*options, name="tonalog"):
    """The chart's objects as Helm makes them.

    Raises:
        AssertionError: Helm refuses; with what it says.
    """
    with tempfile.TemporaryDirectory() as home:
        done = run_helm("template", name, str(CHART), *options, home=Path(home))
    assert done.returncode == 0, done.stderr
    return done.stdout


def objects_in(text):
    """The objects of a file, without empty ones."""
    return [found for found in yaml.safe_load_all(text) if found]


def made_files():
    """Path -> what it has to hold."""
    return {
        CHART / "values.schema.json": json.dumps(make_schema(), indent=2) + "\n",
        CHART / "backlog.sql": AUDIO_S,
        RENDERED / "migrate.yaml": lambda: HEADER + render("--show-only", "templates/migrate.yaml"),
        RENDERED / "tonalog.yaml": lambda: HEADER + render("--no-hooks"),
    }


def main():
    """Write them all."""
    for path, content in made_files().items():
        path.write_text(content() if callable(content) else content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
