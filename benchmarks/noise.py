"""What noise is found in photos as they are, and when it is planted in them; beside other estimates and CleanVision.

    python -m benchmarks.noise PHOTOS [PHOTOS ...] [--every N] [--peers ENVIRONMENTS]

Of each folder the photos as they are, and every N-th with noise of each kind and deviation, clipped and in whole
levels. A photo is called as `pixsieve run` calls it, the photos of its folder being the set. An estimate alone finds a
noisy photo if it is greater than that of any photo of the folder as it is: its recall without a false call. `fine` is
what pixsieve measures at full resolution; `Immerkaer` is his estimate, of all the luma; `estimate_sigma` is
scikit-image's, of the same. CleanVision, which has no check for noise, runs by its defaults. Both are looked for in
ENVIRONMENTS/PROGRAM/bin/python (PROGRAM: skimage, cleanvision), also named by PIXSIEVE_PEERS.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks import record, table
from benchmarks.drawing import bytes_of, generator, jpeg, load, png
from pixsieve.images import noise
from pixsieve.images.statistics import STATISTICS, luma, reduce, statistics
from pixsieve.rules.faults import faults

DEVIATIONS = (5, 10, 15, 20, 30, 40, 60)
AS_THEY_ARE = "as they are"
ROOT = Path(__file__).parent


def _normal(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    return rng.normal(size=(height, width, 1))


def _colour(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Of the luma the deviation is .67 of this."""
    return rng.normal(size=(height, width, 3))


def _blocks(side: int) -> Callable[..., np.ndarray]:
    def draw(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
        top, left = rng.integers(side, size=2)
        field = rng.normal(size=(height // side + 2, width // side + 2, 1))
        return np.kron(field, np.ones((side, side, 1)))[top : top + height, left : left + width]

    return draw


def _smooth(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    field = cv2.GaussianBlur(rng.normal(size=(height, width)), (0, 0), 1)
    return (field / field.std())[:, :, None]


# kind: (noise of unit deviation, how the noisy photo is stored)
KINDS: dict[str, tuple[Callable[..., np.ndarray], Callable[[np.ndarray], bytes]]] = {
    "grey": (_normal, png),
    "colour": (_colour, png),
    "grey, JPEG 90": (_normal, lambda pixels: jpeg(pixels, 90)),
    "grey, JPEG 75": (_normal, lambda pixels: jpeg(pixels, 75)),
    "blocks of 2": (_blocks(2), png),
    "blocks of 4": (_blocks(4), png),
    "smoothed": (_smooth, png),
}


def plant(photos: list[Path], out: Path, every: int) -> dict[str, list[str]]:
    """{kind and deviation: names in `out`}."""
    planted: dict[str, list[str]] = {AS_THEY_ARE: []}

    def add(group: str, name: str, data: bytes) -> None:
        path = out / group / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        planted.setdefault(group, []).append(str(path.relative_to(out)))

    for number, photo in enumerate(photos):
        data = photo.read_bytes()
        add(AS_THEY_ARE, photo.name, data)
        if number % every:
            continue
        pixels = load(data)
        for kind, (draw, store) in KINDS.items():
            unit = draw(generator(0, f"{photo.name} {kind}"), *pixels.shape[:2])
            for deviation in DEVIATIONS:
                stored = store(bytes_of(pixels + deviation * unit))
                add(f"{kind} {deviation}", f"{photo.stem}.{'jpg' if 'JPEG' in kind else 'png'}", stored)
    return planted


def immerkaer(grey: np.ndarray) -> float:
    response = cv2.filter2D(grey.astype(np.float32), -1, noise.KERNELS[0])[1:-1, 1:-1]
    return float(np.sqrt(np.pi / 2) * np.abs(response).mean() / 6)


def ours(folder: Path, names: list[str]) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
    """{name: measurements}, and milliseconds for an image of each step."""
    found, seconds = {}, Counter[str]()
    for name in names:
        data = (folder / name).read_bytes()
        clock = [time.perf_counter()]
        pixels = load(data)
        clock.append(time.perf_counter())
        whole = luma(pixels)
        grey = reduce(whole)
        clock.append(time.perf_counter())
        measured = statistics(pixels, grey)
        clock.append(time.perf_counter())
        simple = immerkaer(whole)
        clock.append(time.perf_counter())
        fine = noise.level(noise.spread(pixels), noise.PIECE)
        clock.append(time.perf_counter())
        steps = ("decode", "luma", "statistics", "Immerkaer", "fine")
        seconds.update(dict(zip(steps, np.diff(clock).tolist(), strict=True)))
        height, width = pixels.shape[:2]
        found[name] = dict(zip(STATISTICS, measured, strict=True)) | {"width": width, "height": height}
        found[name] |= {"pixsieve": 255 * measured.noise, "fine": fine, "Immerkaer": simple}
    return found, {step: round(1000 * spent / len(names), 2) for step, spent in seconds.items()}


def peer(program: str, folder: Path, peers: Path | None, scratch: Path) -> dict[str, Any] | None:
    python = None if peers is None else peers.absolute() / program / "bin/python"
    if python is None or not python.exists():
        where = f"no {program}/bin/python in {peers}" if peers else "--peers is not given"
        print(f"{program}: left out: {where}", flush=True)
        return None
    out = scratch / f"{program}.json"
    command = [
        str(python),
        str(ROOT / f"peers/{program}.py"),
        str(folder.absolute()),
        str(scratch),
        str(out),
        "default",
    ]
    subprocess.run(command, check=True, capture_output=True, cwd=scratch)
    told: dict[str, Any] = json.loads(out.read_text("utf-8"))
    return told


def measure(photos: list[Path], every: int, peers: Path | None) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as place:
        folder, scratch = Path(place, "images"), Path(place)
        groups = plant(photos, folder, every)
        names = [name for group in groups.values() for name in group]
        _, cost = ours(folder, groups[AS_THEY_ARE])
        found, _ = ours(folder, names)
        skimage, cleanvision = (peer(program, folder, peers, scratch) for program in ("skimage", "cleanvision"))
    if skimage:
        cost["estimate_sigma"] = round(1000 * skimage["seconds"] / len(names), 2)
        for name in names:
            found[name]["estimate_sigma"] = skimage["levels"][name]
    clean = groups[AS_THEY_ARE]
    rows = {}
    for group, members in groups.items():
        rows[group] = _called(found, clean, members) | _estimates(found, clean, members)
        if cleanvision:
            issues = Counter(issue for name in members for issue in cleanvision["flagged"].get(name, ()))
            rows[group]["CleanVision"] = {issue: round(n / len(members), 3) for issue, n in sorted(issues.items())}
    return {
        "photos": len(photos),
        "noisy": len(photos[::every]),
        "ms": cost,
        "versions": {p: told["version"] for p, told in (("skimage", skimage), ("cleanvision", cleanvision)) if told},
        "called": [name for name in clean if _level(found, clean, [name])[0]],
        "rows": rows,
    }


def _level(found: dict[str, dict[str, float]], clean: list[str], members: list[str]) -> np.ndarray:
    """(n,) 0, 1, 2: how members are called in a set of them and the clean ones."""
    others = [name for name in clean if name not in set(members)]
    table_ = [found[name] for name in (*others, *members)]
    columns = {name: np.array([row[name] for row in table_], float) for name in (*STATISTICS, "width", "height")}
    return faults(columns, np.ones(len(table_), bool))["noisy"].level[len(others) :]


def _called(found: dict[str, dict[str, float]], clean: list[str], members: list[str]) -> dict[str, float]:
    level = _level(found, clean, members)
    return {"called": round(float((level > 0).mean()), 3), "certain": round(float((level > 1).mean()), 3)}


def _estimates(found: dict[str, dict[str, float]], clean: list[str], members: list[str]) -> dict[str, Any]:
    rows: dict[str, Any] = {
        "share": [
            round(float(np.percentile([found[n]["noise_share"] for n in members], q)), 2) for q in (5, 50, 99, 100)
        ]
    }
    for estimate in ("pixsieve", "fine", "Immerkaer", "estimate_sigma"):
        if estimate in found[clean[0]]:
            values = np.array([found[name][estimate] for name in members])
            most = max(found[name][estimate] for name in clean)
            rows[estimate] = [round(float(value), 1) for value in np.percentile(values, (5, 50, 99, 100))]
            rows[f"{estimate} recall"] = round(float((values > most).mean()), 3)
    return rows


def show(folder: str, result: dict[str, Any]) -> None:
    rows = result["rows"]
    estimates = [e for e in ("pixsieve", "fine", "Immerkaer", "estimate_sigma") if e in rows[AS_THEY_ARE]]

    def line(group: str) -> tuple[Any, ...]:
        row = rows[group]
        levels = ["/".join(f"{value:.1f}" for value in row[e][:2]) for e in estimates]
        issues = ", ".join(f"{issue} {share:.2f}" for issue, share in row.get("CleanVision", {}).items())
        return (group, row["called"], row["certain"], *levels, *(row[f"{e} recall"] for e in estimates), issues or "-")

    head = ("noise", "called", "certain", *estimates, *(f"{e}, recall" for e in estimates), "CleanVision")
    table(f"{folder}: share called; levels, 5th percentile / median; recall", head, [line(group) for group in rows])
    clean = rows[AS_THEY_ARE]
    most = [(e, *clean[e]) for e in estimates] + [("share", *clean["share"])]
    table("As they are", ("", "5 %", "50 %", "99 %", "most"), most)
    print("called:", ", ".join(result["called"]) or "none", "\nmilliseconds an image:", result["ms"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, nargs="+")
    parser.add_argument("--every", type=int, default=10)
    parser.add_argument("--peers", type=Path, default=os.environ.get("PIXSIEVE_PEERS"))
    options = parser.parse_args()
    cv2.setNumThreads(1)
    for folder in options.photos:
        photos = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
        result = measure(photos, options.every, options.peers)
        show(folder.name, result)
        record("noise", {"what": folder.name} | result)


if __name__ == "__main__":
    main()
