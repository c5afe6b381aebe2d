"""The whole duplicate job on a folder of images, against its floor: reading, decoding and reducing the same files with
the same decoder on the same cores, and nothing else.

    python -m benchmarks.flow [FOLDER] [--repeats 5]

Without a folder, 1,500 drawn scenes. Floor and flow alternate; medians are printed. Each flow run starts anew, in this
process, after one run to warm up.
"""

import argparse
import os
import resource
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks import record
from pixsieve import Config, demo, run
from pixsieve.images import decode
from pixsieve.images.statistics import luma, reduce
from pixsieve.sources import folder as images_of


def floor(folder: Path) -> float:
    """Seconds to read, decode and reduce every file."""
    source = Config.load(folder).source
    uris = images_of.listing(source, folder / "none").rows["uri"].to_pylist()

    def one(uri: str) -> None:
        image = decode.decode(images_of.read(source, uri), 10**9)
        if image.pixels is not None:
            reduce(luma(image.pixels))

    started = time.perf_counter()
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for _ in pool.map(one, uris, chunksize=16):
            pass
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or Path(scratch, "images")
        if options.folder is None:
            demo.draw(folder, scenes=1000)
        floors, stages, cpu, walls, rows = [], [], [], [], 0
        for repeat in range(options.repeats + 1):
            floors.append(floor(folder))
            before, started = _cpu(), time.perf_counter()
            summary = run(Config.load(folder, out=Path(scratch, f"run{repeat}")))
            walls.append(time.perf_counter() - started)
            cpu.append(_cpu() - before)
            stages.append({stage.name: stage.seconds for stage in summary.stages})
            rows = int(summary.stages[0].counts["rows"])
    floors, stages, cpu, walls = floors[1:], stages[1:], cpu[1:], walls[1:]
    seconds = {name: statistics.median(run_[name] for run_ in stages) for name in stages[0]}
    ratio = statistics.median(f / run_["embed"] for f, run_ in zip(floors, stages, strict=True))
    print(f"\n{rows} images, medians of {options.repeats}")
    print(
        f"{'read + decode + reduce':<24}{statistics.median(floors):8.2f} s{rows / statistics.median(floors):10,.0f} /s"
    )
    for name, value in seconds.items():
        print(f"{name:<24}{value:8.2f} s{rows / value:10,.0f} /s")
    print(f"{'whole run':<24}{statistics.median(walls):8.2f} s, {statistics.median(cpu):.2f} CPU s")
    print(f"embed stage at {ratio:.2f} of the floor's rate (goal 0.8)")
    result = {"images": rows, "floor_s": statistics.median(floors), "stages_s": seconds, "ratio": ratio}
    record("flow", result | {"cpu_s": statistics.median(cpu), "wall_s": statistics.median(walls)})


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
