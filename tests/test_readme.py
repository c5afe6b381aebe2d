"""The README says what is so."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pixsieve import Config
from pixsieve.config.cluster import METHODS, Search
from pixsieve.images.status import STATUSES
from pixsieve.stages import FLOW

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_the_kernels_page_runs_and_names_every_module():
    page = (ROOT / "docs/kernels.md").read_text("utf-8")
    for code in blocks("python", page):
        exec(code, {})
    for path in (ROOT / "kernels").rglob("[!_]*.py"):
        assert f"`{path.relative_to(ROOT / 'kernels')}`" in page


def test_the_configuration_shown_is_the_default():
    (shown,) = blocks("yaml")
    tree = YAML(typ="safe").load(shown)
    assert Config.parse(tree) == Config.parse({"source": {"path": "photos"}, "run": {"path": "runs/photos"}})
    known = Config.parse(tree).model_dump()
    assert {name: set(section) for name, section in tree.items()} == {name: set(s) for name, s in known.items()}


def test_the_keys_of_every_method_are_shown_with_their_defaults():
    for name, model in METHODS.items():
        (line,) = re.findall(rf"^\| `{name}` \| (.*) \|$", README, re.MULTILINE)
        shown = dict(part.partition(": ")[::2] for part in re.findall(r"`(\w+(?:: [^`]*)?)`", line))
        own = model.model_fields.keys() - {"method", "by", "search"}
        assert own <= shown.keys()
        for key in own:
            default = model.model_fields[key].default
            assert shown[key] == (
                "" if default is None and key == "n_clusters" and "needs" in line else dumped(default)
            )


def dumped(value: object) -> str:
    """As YAML writes it."""
    return json.dumps(value) if value is None or isinstance(value, bool) else str(value)


def test_the_search_shown_is_one():
    (shown,) = blocks("yaml", (ROOT / "docs/clustering.md").read_text("utf-8"))
    search = YAML(typ="safe").load(shown)["cluster"]["search"]
    config = Config.parse({"source": {"path": "a"}, "run": {"path": "b"}, "cluster": {"search": search}})
    assert set(search) - set(config.cluster.search.lists) == {"rule", "per", "rows", "sample"}
    defaults = Search(min_samples=[1]).model_dump()
    assert all(search[name] == defaults[name] for name in ("rule", "per", "rows", "sample"))


def test_all_stages_and_statuses_are_named():
    for stage in FLOW:
        assert f"| {stage.name} |" in README
    for status in STATUSES[1:]:
        assert f"`{status}`" in README


def test_the_configurations_of_the_project_load():
    for path in sorted((ROOT / "configs").glob("*.yaml")):
        Config.load(path)


@pytest.mark.slow
def test_the_two_commands_on_a_fresh_clone(tmp_path: Path):
    """As written, in an empty folder, with nothing but Python and make."""
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    env = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME")}
    env["PATH"] = os.pathsep.join(
        p for p in env["PATH"].split(os.pathsep) if Path(p) != Path(env.get("VENV", ".")) / "bin"
    )
    first, second = (block.strip().splitlines() for block in blocks("sh")[:2])
    assert first == ["make run", "make run IMAGES=path/to/images"] and second == ["make test"]
    done = subprocess.run(["make", "run"], cwd=clone, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Report:" in done.stdout and "82 groups" in done.stdout
    assert (clone / "runs/demo/report/index.html").exists()
    shutil.copytree(clone / "runs/demo-images/city", clone / "path/to/images")
    done = subprocess.run(["make", "run", "IMAGES=path/to/images"], cwd=clone, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (clone / "runs/images/report/index.html").exists()
