"""Suites of problem files, as the makers of decoders publish them, and mutated files: does any of them stop a run?

    python -m benchmarks.problem_files FOLDER [FOLDER ...] [--mutated 20000] [--memory 1500] [--seed 0] [--record]

Every FOLDER is audited as far as `embed` by a process of its own, with `embed.max_decode_mb` at a quarter of --memory
(MB).
Printed are the files and rows (equal, or the run has lost one), the units that failed, the statuses, the greatest
memory of all processes together, and of the files that are `ok` or `damaged` which differ in a grey pixel by more
than 2 levels from what Pillow itself reads, upright. --mutated adds as many files of all formats that Pillow writes,
with bytes changed, cut out, doubled or cut off. Pillow's own suite is in its source distribution, Tests/images.
"""

import argparse
import io
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow.parquet as pq
from PIL import Image, ImageOps

from benchmarks import record
from benchmarks.drawing import generator
from pixsieve.images.decode import decode
from pixsieve.images.formats import READ

WRITTEN = {
    "JPEG": [{}, {"progressive": True}],
    "PNG": [{}, {"optimize": True}],
    "WEBP": [{}, {"lossless": True}],
    "TIFF": [{}, {"compression": "tiff_lzw"}, {"compression": "jpeg"}, {"compression": "tiff_deflate"}],
    **{
        name: [{}]
        for name in ("GIF", "BMP", "PPM", "JPEG2000", "AVIF", "ICO", "ICNS", "TGA", "PCX", "DDS", "SGI", "QOI")
    },
    **{name: [{}] for name in ("IM", "MPO", "SPIDER")},
}
EXIF = Image.Exif()
EXIF[0x0112] = 6


def originals(rng: np.random.Generator) -> list[bytes]:
    """Small pictures in every format, colour and grey, with an orientation, and some with several frames."""
    y, x = np.indices((40, 56))
    found = []
    for name, options in WRITTEN.items():
        for option in options:
            picture = np.dstack([x * 4, y * 6, (x + y) * 2]) + rng.integers(0, 9, (40, 56, 3))
            image = Image.fromarray(picture.astype(np.uint8))
            for one in (image, image.convert("L")):
                more = {"exif": EXIF} if name in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF") else {}
                several = (
                    {"save_all": True, "append_images": [one.rotate(180)]} if name in ("GIF", "TIFF", "MPO") else {}
                )
                out = io.BytesIO()
                try:
                    (one.convert("F") if name == "SPIDER" else one).save(out, name, **option, **more, **several)
                except (OSError, ValueError):  # grey is not for every format
                    continue
                found.append(out.getvalue())
    return found


def mutated(rng: np.random.Generator, data: bytes) -> bytes:
    out, way = bytearray(data), rng.integers(5)
    head = min(len(out), 256)
    if way < 2:  # bytes of the header, or anywhere
        for at in rng.integers(0, head if way == 0 else len(out), int(rng.integers(1, 9))):
            out[at] = rng.choice([0, 1, 127, 128, 255, int(rng.integers(256))])
    elif way == 2:
        out[int(rng.integers(len(out)))] ^= 1 << int(rng.integers(8))
    elif way == 3:
        del out[int(rng.integers(1, len(out))) :]
    else:
        a, b = sorted(int(at) for at in rng.integers(0, len(out), 2))
        out[a:b] = b"" if rng.random() < 0.5 else out[a:b] * 2
    return bytes(out)


def memory(process: psutil.Process) -> int:
    """Bytes of a process and its children, what they share counted once."""
    total = 0
    for one in [process, *process.children(recursive=True)]:
        try:
            total += one.memory_full_info().pss
        except psutil.Error:
            continue
    return total


def grey(data: bytes) -> np.ndarray | None:
    """As Pillow reads it, upright and on white; None where it does not, or brings more than 8 bits to 8 in its way."""
    try:
        with Image.open(io.BytesIO(data), formats=READ) as image:
            if image.mode not in ("1", "L", "P", "LA", "PA", "RGB", "RGBA", "CMYK", "YCbCr"):
                return None
            image.load()
            layer = ImageOps.exif_transpose(image).convert("RGBA")
            return np.asarray(Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("L"))
    except Exception:  # whatever Pillow raises
        return None


def differing(folder: Path, rows: list[dict[str, Any]], keys: list[str]) -> list[str]:
    found = []
    for row, key in zip(rows, keys, strict=True):
        if row["status"] in ("ok", "damaged") and not (row["seen"] or "").startswith("on black"):
            data = (folder / key).read_bytes()
            theirs, ours = grey(data), decode(data, 10**9).pixels
            if theirs is None or ours is None:
                continue
            own = np.asarray(Image.fromarray(ours).convert("L"))
            if own.shape != theirs.shape or np.abs(own.astype(int) - theirs).max() > 2:
                found.append(key)
    return found


def study(folder: Path, limit: int, compare: bool) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as out:
        settings = [f"embed.max_decode_mb={limit // 4}", "workers.device=cpu", 'source.pattern="**/*"']
        command = [sys.executable, "-m", "pixsieve", "run", str(folder), "--out", out, "--until", "embed"]
        started, peak = time.perf_counter(), 0
        with tempfile.TemporaryFile("w+") as said:
            running = subprocess.Popen([*command, *(f"--set={s}" for s in settings)], stdout=said, stderr=said)
            process = psutil.Process(running.pid)
            while running.poll() is None:
                peak = max(peak, memory(process))
                time.sleep(0.02)
            said.seek(0)
            lines = [line for line in said.read().splitlines() if not line.startswith(("scan", "embed"))]
        rows = [
            row for path in sorted(Path(out, "images").glob("*.parquet")) for row in pq.read_table(path).to_pylist()
        ]
        keys = [
            key
            for path in sorted(Path(out, "manifest").glob("*.parquet"))
            for key in pq.read_table(path)["key"].to_pylist()
        ]
        failed = len(list(Path(out, "failures").rglob("*.json")))
        differ = differing(folder, rows, keys) if compare else []
    files = sum(path.is_file() and not path.name.startswith(".") for path in folder.rglob("*"))
    return {
        "folder": folder.name,
        "files": files,
        "rows": len(rows),
        "exit": running.returncode,
        "failed_units": failed,
        "statuses": dict(Counter(row["status"] for row in rows).most_common()),
        "peak_mb": peak >> 20,
        "seconds": round(time.perf_counter() - started, 1),
        "printed": lines[:5],
        "differ_from_pillow": differ,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--mutated", type=int, default=0)
    parser.add_argument("--memory", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--record", action="store_true")
    asked = parser.parse_args()
    found = [study(folder, asked.memory, compare=True) for folder in asked.folders]
    if asked.mutated:
        rng = generator(asked.seed, "mutated")
        with tempfile.TemporaryDirectory() as place:
            whole, folder = originals(rng), Path(place, "mutated")
            for number in range(asked.mutated):
                path = folder / f"{number // 1000:03}" / f"{number:06}"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(mutated(rng, whole[number % len(whole)]))
            found.append(study(folder, asked.memory, compare=False))
    for one in found:
        print(json.dumps(one, indent=1))
    shown = ("folder", "files", "rows", "exit", "failed_units", "peak_mb", "seconds")
    print("  ".join(shown))
    for one in found:
        print("  ".join(str(one[name]) for name in shown))
    if asked.record:
        record("problem_files", {"suites": found})


if __name__ == "__main__":
    main()
