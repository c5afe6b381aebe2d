"""What may import what, read from the sources: search < engines < questions < the face, and callers know the face."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from pixsieve import kernels

ROOT = Path(__file__).parents[2]
PACKAGE = "pixsieve.kernels"
ENGINES = f"{PACKAGE}.engines."
# Benchmarks of the engines themselves.
INSIDE = {"fused.py", "join_gpu.py"}


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT / "kernels").with_suffix("").parts
    return ".".join([PACKAGE, *(part for part in parts if part != "__init__")])


MODULES = {name_of(path): path for path in sorted((ROOT / "kernels").rglob("*.py"))}
CALLERS = sorted((ROOT / "pipeline").rglob("*.py"))
CALLERS += [path for path in sorted((ROOT / "benchmarks").rglob("*.py")) if path.name not in INSIDE]


def imports(path: Path, everywhere: bool = True) -> set[str]:
    """Full names that a module imports; everywhere: inside functions and for type checkers, too."""
    tree = ast.parse(path.read_text("utf-8"))
    found = set()
    for node in ast.walk(tree) if everywhere else tree.body:
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative"
            found |= {f"{node.module}.{each.name}" for each in node.names}
    return found


def modules_in(names: set[str]) -> set[str]:
    """The modules of kernels that are imported by these names."""
    return {name if name in MODULES else name.rpartition(".")[0] for name in names if name.startswith(PACKAGE)}


def layer(module: str) -> int:
    room = module.removeprefix(PACKAGE).lstrip(".").partition(".")[0]
    return {"search": 0, "engines": 1, "": 3}.get(room, 2)


def test_the_sources_are_found():
    assert {layer(module) for module in MODULES} == {0, 1, 2, 3}
    assert f"{PACKAGE}.search.exact" in modules_in(imports(MODULES[f"{PACKAGE}.tiles"]))
    assert len(CALLERS) > 80


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down(module):
    used = modules_in(imports(MODULES[module]))
    assert used <= set(MODULES)
    assert not [other for other in used if layer(other) > layer(module)]
    assert PACKAGE not in used  # the face is for others


def test_no_circle():
    TopologicalSorter({module: modules_in(imports(path)) for module, path in MODULES.items()}).prepare()


def test_engines_are_imported_when_they_are_needed():
    """Of the engines, whoever asks imports no more than the choice between them."""
    dispatch = MODULES[f"{ENGINES}dispatch"]
    assert not [name for name in imports(dispatch, everywhere=False) if name.startswith(ENGINES)]
    for module, path in MODULES.items():
        if layer(module) != 1:
            used = modules_in(imports(path, everywhere=False))
            assert {name for name in used if name.startswith(ENGINES)} <= {f"{ENGINES}dispatch"}


@pytest.mark.parametrize("path", CALLERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_callers_know_the_face(path):
    used = {name for name in imports(path) if name.startswith(f"{PACKAGE}.")}
    used |= {
        f"{PACKAGE}.{node.attr}"
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "kernels"
    }
    assert used <= {f"{PACKAGE}.{name}" for name in kernels.__all__}
