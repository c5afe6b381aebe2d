"""scikit-image's estimate of the noise of each image, of 255, and the seconds that they took:
{"version": str, "levels": {name: float}, "seconds": float}. benchmarks/noise.py calls it as the others are called."""

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path

sys.path.pop(0)  # this folder, where a module has the name of the program

import numpy as np
from PIL import Image
from skimage.restoration import estimate_sigma

images, scratch, out, variant = sys.argv[1:]
levels, seconds = {}, 0.0
for path in sorted(Path(images).rglob("*.*")):
    luma = np.asarray(Image.open(path).convert("L"), np.float64)
    started = time.perf_counter()
    levels[str(path.relative_to(images))] = float(estimate_sigma(luma))
    seconds += time.perf_counter() - started
Path(out).write_text(
    json.dumps({"version": version("scikit-image"), "levels": levels, "seconds": round(seconds, 2)}), "utf-8"
)
