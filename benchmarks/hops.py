"""How often a run goes from one file of the code to another, and from one room (a folder, or a file beside the folders)
to another: `python -m benchmarks.hops SOURCE`. Fewer hops are fewer places to look at when one follows a run.

A call and its return are a hop each where caller and called are of different files. Threads and imports do not count.
"""

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

from benchmarks import record
from pixsieve import Config, run

ROOT = Path(__file__).parents[1]


def room(file: str) -> str:
    return str(Path(file).parent) if file.count("/") > 1 else file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("--record", action="store_true")
    options = parser.parse_args()
    known: dict[str, str | None] = {}
    hops: Counter[tuple[str, str]] = Counter()
    calls: Counter[str] = Counter()

    def ours(frame: FrameType | None) -> str | None:
        """The file of ours that a frame is of, or the nearest frame below it that is."""
        while frame is not None:
            name = frame.f_code.co_filename
            if name not in known:
                real = str(Path(name).resolve())
                inside = real.startswith((f"{ROOT}/pipeline/", f"{ROOT}/kernels/"))
                known[name] = real.removeprefix(f"{ROOT}/") if inside else None
            if known[name] is not None:
                return known[name]
            frame = frame.f_back
        return None

    def profile(frame: FrameType, event: str, argument: Any) -> None:
        if event not in ("call", "return") or frame.f_code.co_name == "<module>":
            return
        here = ours(frame)
        if known.get(frame.f_code.co_filename) is None or here is None:
            return
        if event == "call":
            calls[f"{here}:{frame.f_code.co_name}"] += 1
        there = ours(frame.f_back)
        if there is not None and there != here:
            hops[there, here] += 1

    with tempfile.TemporaryDirectory() as folder:
        config = Config.load(options.source, out=Path(folder) / "run", settings=["workers.device=cpu"])
        sys.setprofile(profile)
        run(config)
        sys.setprofile(None)
    files, rooms = sum(hops.values()), sum(n for (a, b), n in hops.items() if room(a) != room(b))
    print(f"file hops {files:,}, room hops {rooms:,}")
    for name, count in calls.most_common(12):
        print(f"{count:8,}  {name}")
    if options.record:
        record("hops", {"source": options.source.name, "file_hops": files, "room_hops": rooms})


if __name__ == "__main__":
    main()
