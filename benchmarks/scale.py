"""A whole run, of millions of given vectors or of images. Prints units, seconds, bytes and peak memory of each stage.

    python -m benchmarks.scale groups --rows 1000000 [--folder F]     20,000 loose groups, noise, 2 % near copies
    python -m benchmarks.scale same                                   100,000 identical and 50,000 almost identical rows
    python -m benchmarks.scale images/ --set cluster.method=hdbscan   any source, with settings

Two local workers. The peak is the sum over the run's processes of their proportional set sizes, and the largest one.
A folder that is given is kept, and a run that was cut off goes on in it.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

from benchmarks import record
from pixsieve.stages import FLOW

DIM = 64


def groups(rows: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(20_000, DIM)).astype(np.float32)
    x = np.empty((rows, DIM), np.float32)
    for at in range(0, rows, 100_000):
        part = x[at : at + 100_000]
        part[:] = centres[rng.integers(len(centres), size=len(part))] + 0.35 * rng.normal(size=part.shape)
    x[rng.integers(rows, size=rows // 20)] = rng.normal(size=(rows // 20, DIM))
    copies = x[rng.integers(rows, size=rows // 50)]
    x[rng.integers(rows, size=rows // 50)] = copies + 0.01 * rng.normal(size=copies.shape).astype(np.float32)
    return x


def same(rows: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    equal = np.repeat(rng.normal(size=(1, DIM)), 100_000, axis=0)
    almost = rng.normal(size=(1, DIM)) + 0.002 * rng.normal(size=(50_000, DIM))
    return np.concatenate([equal, almost]).astype(np.float32)[rng.permutation(150_000)]


def peak_while(process: subprocess.Popen, out: Path) -> dict[str, tuple[int, int]]:
    """Megabytes in each stage: the most that the process and its children held together, and that one of them held."""
    parent, peak = psutil.Process(process.pid), {}
    names = [stage.name for stage in FLOW]
    while process.poll() is None:
        try:
            sizes = [one.memory_full_info().pss for one in [parent, *parent.children(recursive=True)]]
        except psutil.Error:
            continue
        stage = next((name for name in reversed(names) if (out / "receipts" / name).is_dir()), "scan")
        together, largest = peak.get(stage, (0, 0))
        peak[stage] = max(together, sum(sizes) >> 20), max(largest, max(sizes) >> 20)
        time.sleep(1)  # to ask for proportional sizes costs the processes time
    return peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", help="groups, same, or a source")
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        drawn = {"groups": groups, "same": same}.get(options.what)
        source = Path(options.what) if drawn is None else folder / "x.npy"
        if drawn is not None and not source.exists():
            np.save(source, drawn(options.rows))
        out = folder / "run"
        command = [sys.executable, "-m", "pixsieve", "run", str(source), "--out", str(out)]
        for setting in ("workers.kind=local", "workers.n=2", "workers.device=cpu", *options.set):
            command += ["--set", setting]
        started = time.perf_counter()
        process = subprocess.Popen(command)
        peak = peak_while(process, out)
        seconds = time.perf_counter() - started
        receipts = {path.stem: json.loads(path.read_text()) for path in sorted((out / "receipts").glob("*.json"))}
        written = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
        result = {
            "what": options.what if drawn is not None else source.name,
            "settings": options.set,
            "exit": process.returncode,
            "wall_s": round(seconds, 1),
            "unit_s": {name: round(sum(r["seconds"] for r in units.values()), 1) for name, units in receipts.items()},
            "units": {name: len(units) for name, units in receipts.items()},
            "bytes_written": written,
            "peak_mb_all_and_largest_process": peak,
            "found": json.loads((out / "report/report.json").read_text()),  # the rows among the rest
        }
    del result["found"]["source"]
    for name, value in result.items():
        print(f"{name:<24}{value}")
    record("scale", result)


if __name__ == "__main__":
    main()
