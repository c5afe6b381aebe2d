"""What a run folder costs that grows by one image a night, on one core.

    python -m benchmarks.history [--first 2000] [--nights 365] [--record]

Drawn images. Night 0 is the first run; each night after it adds one image and runs again. Of some nights: the seconds
of processor time, the units and the files that there are, and the seconds as a ratio to those of the first nights.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks import record, table
from benchmarks.drawing import bytes_of, generator, noise, png
from pixsieve import Config, run

SETTINGS = ("workers.device=cpu",)
AROUND = 5  # nights whose median is told


def draw(folder: Path, number: int) -> None:
    """An image unlike the others."""
    grey = bytes_of(128 + 40 * noise(generator(number, "history"), 64, 64, 2.0))
    (folder / f"{number:06}.png").write_bytes(png(np.repeat(grey[:, :, None], 3, axis=2)))


def night(images: Path, out: Path) -> tuple[float, int, int]:
    """Seconds, units and files after one run."""
    started = time.process_time()
    summary = run(Config.load(images, out=out, settings=list(SETTINGS)))
    seconds = time.process_time() - started
    return seconds, sum(stage.units for stage in summary.stages), sum(path.is_file() for path in out.rglob("*"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", type=int, default=2000, help="images of the first run")
    parser.add_argument("--nights", type=int, default=365)
    parser.add_argument("--record", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        images, out = Path(name) / "images", Path(name) / "run"
        images.mkdir()
        for number in range(asked.first):
            draw(images, number)
        nights = [night(images, out)]
        for number in range(asked.nights):
            draw(images, asked.first + number)
            nights.append(night(images, out))
    seconds = [one[0] for one in nights]
    first = statistics.median(seconds[2 : 2 + AROUND])
    rows = [("0", f"{seconds[0]:.2f}", nights[0][1], nights[0][2], "")]
    for at in sorted({2, 60, 120, 240, asked.nights - AROUND + 1}):
        if at + AROUND <= len(nights):
            middle = statistics.median(seconds[at : at + AROUND])
            told = nights[at + AROUND - 1]
            rows.append((f"{at}-{at + AROUND - 1}", f"{middle:.2f}", told[1], told[2], f"{middle / first:.2f}"))
    head = ("night", "seconds", "units", "files", "to the first nights")
    table(f"one image a night after {asked.first}", head, rows)
    if asked.record:
        record("history", {"first": asked.first, "nights": asked.nights, "head": head, "rows": rows})


if __name__ == "__main__":
    main()
