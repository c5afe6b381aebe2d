"""Files of a run folder that are no longer what a run wrote: the command line says which, and what to do helps."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from pixsieve.cli.app import app
from tests.pipeline.helpers import audit, pattern, results, save


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _garble(path: Path) -> None:
    whole = np.frombuffer(path.read_bytes(), np.uint8).copy()
    whole[len(whole) // 3 : len(whole) * 2 // 3] ^= 0x55
    path.write_bytes(whole.tobytes())


WAYS: list[Callable[[Path], object]] = [
    _cut,
    _garble,
    Path.unlink,
    lambda path: path.write_bytes(b""),
    lambda path: path.write_bytes(b'{"a": 1}\n'),
]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two batches with a metadata file; a file that cannot be read is in it, and a skipped one."""
    root = tmp_path_factory.mktemp("finished")
    for number in range(8):
        save(root / f"images/{number % 2}/{number}.png", pattern(np.random.default_rng(number % 6)))
    (root / "images/broken.png").write_bytes(b"none")
    (root / "images/notes.txt").write_text("none")
    keys = "".join(f"{n % 2}/{n}.png,{'train' if n % 3 else 'test'}\n" for n in range(8))
    (root / "metadata.csv").write_text(f"key,split\n{keys}")
    audit(root / "images", root / "run", "run.batch_rows=5", f"source.metadata={root / 'metadata.csv'}")
    return root / "run"


def answer(*arguments: str | Path) -> Result:
    done = CliRunner().invoke(app, [*map(str, arguments)])
    assert done.exception is None or isinstance(done.exception, SystemExit), (arguments, done.exception)
    assert done.exit_code in (0, 2, 3), (arguments, done.output)
    return done


@pytest.mark.parametrize("way", range(len(WAYS)))
def test_every_file_of_a_run_folder(finished: Path, tmp_path: Path, way: int):
    expected, kinds = results(finished), dict[str, Path]()
    for path in sorted(path for path in finished.rglob("*") if path.is_file()):
        kinds.setdefault(re.sub(r"\d+", "0", str(path.relative_to(finished))), path)
    assert len(kinds) > 30
    for path in kinds.values():
        out = tmp_path / "run"
        shutil.copytree(finished, out)
        WAYS[way](out / path.relative_to(finished))
        for command in ("status", "failures"):
            answer(command, out)
        done = answer("run", out)
        advised = re.search(r"(\S+) is damaged .* delete it", done.output)
        if advised:
            place = Path(advised[1])
            shutil.rmtree(place) if place.is_dir() else place.unlink()
            done = answer("run", out)
            assert done.exit_code == 0, (path, done.output)
        if done.exit_code == 0 and way != 1:  # bytes that change in place are not looked for
            assert results(out) == expected, path
        shutil.rmtree(out)
