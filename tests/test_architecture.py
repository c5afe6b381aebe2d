"""What may import what, as docs/architecture.md says."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/architecture.md").read_text("utf-8")
TABLE = PAGE[PAGE.index("## What may import what") :]
LEVELS = [re.findall(r"`(\w+)`", line.split("|")[1]) for line in TABLE.splitlines() if line.startswith("| `")]
LEVEL = {room: level for level, rooms in enumerate(LEVELS) for room in rooms}
ABOVE = ("__init__", "__main__", "demo")  # the front doors, and a set drawn for newcomers


def room_of(path: Path) -> str:
    if path.is_relative_to(ROOT / "kernels"):
        return "kernels"
    return path.relative_to(ROOT / "pipeline").parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Rooms of the package that a module imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: a relative import"
            parts = (node.module or "").split(".")
            if parts[0] == "pixsieve":
                found |= {parts[1]} if len(parts) > 1 else {name.name for name in node.names}
        elif isinstance(node, ast.Import):
            names = [n.name.split(".") for n in node.names if n.name.split(".")[0] == "pixsieve"]
            assert all(len(name) > 1 for name in names) or room_of(path) in ABOVE, f"{path}: the whole package"
            found |= {name[1] for name in names if len(name) > 1}
    return found


FRONT = {"Config", "Clusterer", "Run", "Summary", "run", "Cluster", "read_clusters", "datapoints", "Datapoint"}
ARROWS = {
    (room_of(path), to)
    for base in ("pipeline", "kernels")
    for path in (ROOT / base).rglob("*.py")
    for to in imported(path)
    if room_of(path) != to and room_of(path) not in ABOVE and to in LEVEL
}


def test_every_room_has_its_place():
    rooms = {room_of(path) for base in ("pipeline", "kernels") for path in (ROOT / base).rglob("*.py")}
    assert rooms - {*ABOVE} == LEVEL.keys()


def test_imports_go_down_and_never_back():
    wrong = [(a, b) for a, b in ARROWS if LEVEL[a] < LEVEL[b]]
    assert not wrong


def test_no_module_imports_the_front_door():
    for base in ("pipeline", "kernels"):
        for path in (ROOT / base).rglob("*.py"):
            assert room_of(path) in ABOVE or not imported(path) & FRONT, path


def test_no_rooms_go_in_circles():
    below = {room: {b for a, b in ARROWS if a == room} for room in LEVEL}
    while free := [room for room, others in below.items() if not others]:
        below = {room: others - {*free} for room, others in below.items() if room not in free}
    assert not below


def test_the_machinery_knows_no_stage():
    for path in (ROOT / "pipeline/runtime").rglob("*.py"):
        assert "stages" not in imported(path)
