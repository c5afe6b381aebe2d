"""What the command line says: help that names what can be named, errors that say how to write it, numbers in words."""

import shlex
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from pixsieve import Config, ConfigError, files
from pixsieve.cli.app import app
from pixsieve.flow import STAGES
from pixsieve.models import torchvision
from pixsieve.models.network import Asked
from pixsieve.plural import counted
from pixsieve.report.words import found
from tests.pipeline.helpers import audit, pattern, save


def test_help_is_asked_for_shortly_and_names_stages_and_keys():
    done = CliRunner().invoke(app, ["run", "-h"], env={"COLUMNS": "200"})
    assert done.exit_code == 0
    words = done.output.replace(",", " ").replace(".", " ").split()
    assert {*STAGES, *Config.model_fields, "max_removed", "n_clusters", "linkage", "batch_size"} <= {
        word.strip(":│") for word in words
    }


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("source.pattern=[a", "[a"),
        ("source.pattern={a", "{a"),
        ('source.label="a', '"a'),
        ("source.label=it's: 'so", "it's: 'so"),
        ("source.pattern=a: b: c", "a: b: c"),
    ],
)
def test_a_setting_that_is_no_yaml_is_told_how_to_be_quoted(tmp_path: Path, setting: str, value: str):
    with pytest.raises(ConfigError, match="text is quoted twice") as error:
        Config.load(tmp_path, settings=[setting])
    (said,) = shlex.split(str(error.value).partition("for the shell: --set ")[2])
    key = setting.partition("=")[0]
    tree = {"key": key}
    from pixsieve.config import load

    load.assign(tree, said)
    section, _, name = key.partition(".")
    assert tree[section][name] == value


@pytest.mark.parametrize("setting", ["source.label=2024", "source.metadata={a: b}", "source.split=[train]"])
def test_a_setting_that_yaml_takes_for_something_else(tmp_path: Path, setting: str):
    key = setting.partition("=")[0]
    with pytest.raises(ConfigError, match=rf"^{key}: .*quoted, with --set twice: '{key}=\"\.\.\.\"'"):
        Config.load(tmp_path, settings=[setting])


def test_what_the_configuration_alone_decides_is_refused_at_the_start(tmp_path: Path):
    settings = ["cluster.method=hdbscan", "match.mode=representatives"]
    with pytest.raises(ConfigError, match=r"use 'exact', or allow anything by match.max_unresolved: 1"):
        Config.load(tmp_path, settings=settings)
    with pytest.raises(ConfigError, match="loses what cannot be predicted"):
        Config.load(tmp_path, settings=["cluster.search={method: [dbscan, hdbscan]}", "match.mode=representatives"])
    assert Config.load(tmp_path, settings=[*settings, "match.max_unresolved=1"]).matching == "representatives"
    assert Config.load(tmp_path, settings=settings[:1]).matching == "exact"


def test_weights_of_another_network(tmp_path: Path):
    import torch
    from torchvision import models

    torch.save(models.get_model("squeezenet1_1", weights=None).state_dict(), tmp_path / "other.pt")
    with pytest.raises(ConfigError, match=r"embed\.weights: .*other\.pt is not a state dict for mobilenet_v3_small"):
        torchvision.load(Asked("mobilenet_v3_small", str(tmp_path / "other.pt")))


def test_one_is_not_several(tmp_path: Path):
    for name in ("a", "b"):
        save(tmp_path / f"images/{name}.png", pattern(np.random.default_rng(0)))
    audit(tmp_path / "images", tmp_path / "run")
    assert "Duplicates  1 group in 1 set, 1 redundant: 1 equal file," in "\n".join(
        found(files.read_json(tmp_path / "run/report/report.json"))
    )
    page = (tmp_path / "run/report/index.html").read_text()
    assert "redundant, in 1 group<" in page and "<p>1 equal file," in page
    said = CliRunner().invoke(app, ["status", str(tmp_path / "run")]).output
    assert said.splitlines()[0].endswith(" ever, 0 removed, 1 block")
    assert counted(1, "copy") == "1 copy" and counted(1000, "copy") == "1,000 copies"


@pytest.mark.parametrize("error", [MemoryError("malloc failed"), RuntimeError("can't start new thread")])
def test_no_memory(tmp_path: Path, monkeypatch, error: Exception):
    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr("pixsieve.cli.app.audit", fail)
    done = CliRunner().invoke(app, ["run", str(tmp_path)])
    assert done.exit_code == 2 and f"no memory is left ({error})" in done.output
