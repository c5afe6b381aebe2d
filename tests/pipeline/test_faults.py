"""Folders that cannot be read or written, names that are no text, links that go in circles, a full disk."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from pixsieve import Config, FolderBusyError, FolderDamagedError, PixsieveError, Run, SourceError, run
from pixsieve.cli import app
from pixsieve.runtime.lock import locked
from pixsieve.sources import folder
from tests.pipeline.helpers import audit, by_key, pattern, results, save

PIXSIEVE = (sys.executable, "-m", "pixsieve")
PIXELS = pattern(np.random.default_rng(0))


def command(source: Path, out: Path, *more: str, before: list[str] | None = None) -> subprocess.CompletedProcess:
    line = [
        *(before or []),
        *PIXSIEVE,
        "run",
        str(source),
        "--out",
        str(out),
        "--set",
        "workers.device=cpu",
        "--set",
        "embed.model=null",
        *more,
    ]
    return subprocess.run(line, capture_output=True, text=True)


@pytest.mark.parametrize("bad", ["no/such/folder", "notes.txt"])
def test_a_source_that_is_none(tmp_path: Path, bad: str):
    (tmp_path / "notes.txt").write_text("no images")
    done = command(tmp_path / bad, tmp_path / "run")
    assert done.returncode == 2 and "source.path" in done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("options", [["--until", "clusters"], ["--set", "cluster.size=3"], ["--nonsense"]])
def test_wrong_use_ends_with_two(tmp_path: Path, options: list[str]):
    save(tmp_path / "images/a.png", PIXELS)
    done = command(tmp_path / "images", tmp_path / "run", *options)
    assert done.returncode == 2 and done.stderr and "Traceback" not in done.stderr


def test_any_file_name(tmp_path: Path):
    root = os.fsencode(tmp_path / "images")
    os.makedirs(os.path.join(root, b"sub dir"))  # noqa: PTH103, PTH118
    names = [
        b'it\'s "quoted".png',
        b"two\nlines.png",
        b"\xff\xfe.png",
        b"back\\slash.png",
        b"back\\xff.png",
        b"%41.png",
    ]
    names += ["grün 图.png".encode(), b"sub dir/#?&.png", b"-rf.png", b"trailing .png", b"*.png", b".hidden.png"]
    data = _png()
    for name in names:
        with open(os.path.join(root, name), "wb") as file:  # noqa: PTH118, PTH123
            file.write(data)
    audit(tmp_path / "images", tmp_path / "run")
    images = {row["key"]: row["status"] for row in by_key(tmp_path / "run", "images")}
    assert len(images) == len(names) - 1 and set(images.values()) == {"ok"}
    assert {'it\'s "quoted".png', "two\nlines.png", "\\xff\\xfe.png", "back\\\\xff.png", "%41.png"} <= images.keys()
    assert audit(tmp_path / "images", tmp_path / "run").idle
    page = (tmp_path / "run/report/index.html").read_text()
    assert "it&#39;s &#34;quoted&#34;" in page


def _png() -> bytes:
    import cv2

    return cv2.imencode(".png", PIXELS)[1].tobytes()


def test_links(tmp_path: Path):
    save(tmp_path / "images/a/one.png", PIXELS)
    save(tmp_path / "elsewhere/two.png", PIXELS)
    (tmp_path / "images/a/loop").symlink_to(tmp_path / "images")
    (tmp_path / "images/self").symlink_to("self")
    (tmp_path / "images/there").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "images/gone.png").symlink_to(tmp_path / "nothing.png")
    os.mkfifo(tmp_path / "images/pipe.png")
    audit(tmp_path / "images", tmp_path / "run")
    images = {row["key"]: row["status"] for row in by_key(tmp_path / "run", "images")}
    assert images == {"a/one.png": "ok", "there/two.png": "ok", "gone.png": "unreadable", "self": "unreadable"}


def mortal() -> list[str]:
    """What to put before a command so that permissions hold for it, also when the tests run as root."""
    if os.getuid() != 0:
        return []
    powers = "-dac_override,-dac_read_search"
    return ["setpriv", "--bounding-set", powers, "--inh-caps", powers]


def test_a_folder_that_cannot_be_listed_is_told_and_its_rows_are_kept(tmp_path: Path):
    images, out = tmp_path / "images", tmp_path / "out/run"
    for name in ("a.png", "private/b.png", "private/in/c.png"):
        save(images / name, pattern(np.random.default_rng(len(name))))
    assert command(images, out).returncode == 0
    (images / "private").chmod(0)
    try:
        done = [command(images, out, before=mortal()) for _ in range(2)]
        fresh = command(images, tmp_path / "out/fresh", before=mortal())
        outside = command(images, tmp_path / "out/other", "--set", "source.pattern=al*/**", before=mortal())
    finally:
        (images / "private").chmod(0o755)
    assert [one.returncode for one in (*done, fresh)] == [0, 0, 0], done[0].stderr
    assert "may not be listed, so not audited: private/" in done[0].stdout and "private/" in fresh.stdout
    assert "Nothing to do: 3 rows" in done[1].stdout
    found = {row["key"]: row["status"] for row in by_key(out, "images")}
    assert found == {"a.png": "ok", "private/b.png": "unreadable", "private/in/c.png": "unreadable"}
    assert len(by_key(tmp_path / "out/fresh", "images")) == 1
    assert outside.returncode == 2 and "private" not in outside.stderr  # nothing in it can be wanted
    assert command(images, out).returncode == 0
    assert {row["status"] for row in by_key(out, "images")} == {"ok"}


def test_a_file_that_cannot_be_read_is_a_row(tmp_path: Path):
    save(tmp_path / "images/a.png", PIXELS)
    save(tmp_path / "images/b.png", PIXELS)
    (tmp_path / "images/b.png").chmod(0)
    done = command(tmp_path / "images", tmp_path / "out/run", before=mortal())
    assert done.returncode == 0, done.stderr
    images = {row["key"]: (row["status"], row["reason"]) for row in by_key(tmp_path / "out/run", "images")}
    assert images == {"a.png": ("ok", ""), "b.png": ("unreadable", "cannot be read: Permission denied")}


def test_a_run_folder_that_cannot_be_written(tmp_path: Path):
    save(tmp_path / "images/a.png", PIXELS)
    (tmp_path / "out").mkdir(mode=0o555)
    done = command(tmp_path / "images", tmp_path / "out/run", before=mortal())
    assert done.returncode == 2
    assert "cannot use the run folder" in done.stderr and "Traceback" not in done.stderr


def test_a_full_disk(tmp_path: Path):
    """Ends with 3 and a reason; with room again the run goes on."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("this user cannot mount a file system")
    try:
        np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(4000, 128)).astype(np.float32))
        cut = ["--set", "run.batch_rows=1000"]
        done = command(tmp_path / "x.npy", disk / "run", *cut)
        assert done.returncode == 3, done.stderr
        assert "No space left on device" in done.stdout and "Traceback" not in done.stderr
        told = subprocess.run([*PIXSIEVE, "failures", str(disk / "run")], capture_output=True, text=True)
        assert re.search(r"^== embed 0000\d: ", told.stdout) and told.stdout.endswith("1 unit failed or not ended\n")
        subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
        assert command(tmp_path / "x.npy", disk / "run", *cut).returncode == 0
        audit(tmp_path / "x.npy", tmp_path / "run", "run.batch_rows=1000")
        assert results(disk / "run") == results(tmp_path / "run")
    finally:
        subprocess.run(["umount", disk], check=True)


HOLD = """
import sys, time
from pathlib import Path
from pixsieve.runtime.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_live_run_is_refused_and_a_dead_ones_lock_is_taken(tmp_path: Path):
    save(tmp_path / "images/a.png", PIXELS)
    out = tmp_path / "run"
    out.mkdir()
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(out)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    with pytest.raises(FolderBusyError, match=f"in use by process {holder.pid}"):
        audit(tmp_path / "images", out)
    done = command(tmp_path / "images", out)
    assert done.returncode == 2 and "in use" in done.stderr
    holder.kill()
    started = time.monotonic()
    while True:  # a killed process that is not yet waited for counts as dead
        try:
            audit(tmp_path / "images", out)
            break
        except FolderBusyError:
            assert time.monotonic() - started < 5
    holder.wait()
    holder.stdout.close()
    assert not (out / "lock").exists()


@pytest.mark.parametrize("content", ["", "{}", "not json", '{"host": "%s", "pid": 1, "started": 12.5}'])
def test_locks_that_nobody_holds(tmp_path: Path, content: str):
    import socket

    (tmp_path / "lock").write_text(content.replace("%s", socket.gethostname()))
    with locked(tmp_path):
        pass


def test_a_lock_of_another_host_is_respected(tmp_path: Path):
    (tmp_path / "lock").write_text('{"host": "another", "pid": 1, "started": 12.5}')
    with pytest.raises(FolderBusyError, match="process 1 on another; wait for it, or delete"), locked(tmp_path):
        pass


def test_no_run_folder(tmp_path: Path):
    for name in ("status", "failures"):
        line = [sys.executable, "-m", "pixsieve", name, str(tmp_path)]
        done = subprocess.run(line, capture_output=True, text=True)
        assert done.returncode == 2 and "is not a run folder" in done.stderr
    with pytest.raises(FolderDamagedError, match="is not a run folder"):
        Run.open(tmp_path)


def test_a_run_folder_without_a_manifest(tmp_path: Path):
    save(tmp_path / "images/a.png", PIXELS)
    audit(tmp_path / "images", tmp_path / "run", until="scan")
    (tmp_path / "run/manifest/blocks.json").unlink()
    with pytest.raises(FolderDamagedError, match="has no manifest yet"):
        Run.open(tmp_path / "run")


@pytest.mark.parametrize("kind", PixsieveError.__subclasses__())
def test_the_command_ends_with_the_code_of_the_error(kind: type[PixsieveError], monkeypatch, capsys):
    def fail(path):
        raise kind("what to change")

    monkeypatch.setattr(kind, "exit_code", 7)
    monkeypatch.setattr(app.Run, "open", fail)
    with pytest.raises(SystemExit) as ended:
        app.app(["status", "anywhere"])
    assert ended.value.code == 7 and capsys.readouterr().err == "pixsieve: what to change\n"


def test_the_python_way(tmp_path: Path):
    save(tmp_path / "images/a.png", PIXELS)
    summary = run(Config.load(tmp_path / "images", out=tmp_path / "run", settings=["workers.device=cpu"]))
    assert summary.exit_code == 0
    assert pq.read_table(summary.path / "assignments.parquet")["key"].to_pylist() == ["a.png"]


def test_a_source_that_has_become_empty_is_taken_for_unmounted(tmp_path: Path):
    save(tmp_path / "images/a.png", PIXELS)
    audit(tmp_path / "images", tmp_path / "run")
    (tmp_path / "images/a.png").rename(tmp_path / "a.png")
    with pytest.raises(SourceError, match="is it mounted"):
        audit(tmp_path / "images", tmp_path / "run")
    (tmp_path / "a.png").rename(tmp_path / "images/a.png")
    assert audit(tmp_path / "images", tmp_path / "run").idle


def test_a_passing_read_error_is_tried_again_and_a_lasting_one_is_a_failed_unit(tmp_path: Path, monkeypatch):
    save(tmp_path / "images/a.png", PIXELS)
    save(tmp_path / "images/b.png", PIXELS)
    read, errors = folder.read, [OSError(5, "Input/output error")]

    def shaky(source, uri):
        if errors:
            raise errors.pop()
        return read(source, uri)

    monkeypatch.setattr(folder, "read", shaky)
    assert audit(tmp_path / "images", tmp_path / "run").exit_code == 0
    assert {row["status"] for row in by_key(tmp_path / "run", "images")} == {"ok"}
    errors += [OSError(5, "Input/output error")] * 9
    assert audit(tmp_path / "images", tmp_path / "other").exit_code == 3


def test_files_of_any_size_are_not_read(tmp_path: Path):
    save(tmp_path / "images/a.png", PIXELS)
    with (tmp_path / "images/archive.tif").open("wb") as file:
        file.truncate(200 << 30)
    audit(tmp_path / "images", tmp_path / "run")
    images = {row["key"]: row["status"] for row in by_key(tmp_path / "run", "images")}
    assert images == {"a.png": "ok", "archive.tif": "too_large"}


def test_vectors_that_are_no_longer_there(tmp_path: Path):
    x = np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    audit(tmp_path / "x.npy", tmp_path / "run", until="scan")
    np.save(tmp_path / "x.npy", x[:25])
    assert audit(tmp_path / "x.npy", tmp_path / "run").exit_code == 0
    assert [row["status"] for row in by_key(tmp_path / "run", "images")] == ["ok"] * 25


@pytest.mark.parametrize("content", [b"", b"not numpy", b"PK\x05\x06" + bytes(18)])
def test_npy_files_that_are_none(tmp_path: Path, content: bytes):
    (tmp_path / "x.npy").write_bytes(content)
    with pytest.raises(SourceError, match=r"source\.path"):
        audit(tmp_path / "x.npy", tmp_path / "run")
