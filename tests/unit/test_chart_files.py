"""What `make chart` writes without Helm is what the settings and db say today, and the chart is of this release."""

import tomllib

import pytest
import yaml
from chart import CHART, OPEN, is_secret, made_files, make_schema, values
from command import ROOT

from config.settings import Settings

TEXTS = {path: content for path, content in made_files().items() if isinstance(content, str)}


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_what_the_settings_and_the_ledger_say_is_in_the_chart(path):
    assert path.read_text() == TEXTS[path], "run `make chart`"


def test_every_setting_that_is_no_secret_can_be_given_to_the_chart_and_no_secret_can():
    taken = make_schema()["properties"]["settings"]

    assert set(taken["properties"]) == {f"TONALOG_{key.upper()}" for key in Settings.model_fields if not is_secret(key)}
    assert taken["additionalProperties"] is False


@pytest.mark.parametrize("key", [key for key in Settings.model_fields if is_secret(key)])
def test_every_setting_that_is_a_secret_comes_from_one(key):
    assert f'"TONALOG_{key.upper()}"' in (CHART / "templates" / "_env.tpl").read_text()


def test_the_chart_is_of_the_release_of_the_distribution():
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]

    assert (chart["version"], chart["appVersion"]) == (version, version)


def test_what_kubernetes_itself_says_may_be_in_a_value_is_left_to_it():
    def keys_of(value):
        return (
            {key for key, part in value.items() for key in [key, *keys_of(part)]} if isinstance(value, dict) else set()
        )

    assert keys_of(values()) >= OPEN
