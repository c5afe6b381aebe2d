"""Measurements. Each prints a table with ratios of one run and appends it to results/."""

import json
import os
import platform
from datetime import date
from pathlib import Path
from typing import Any


def record(name: str, result: dict[str, Any]) -> None:
    """Appends a result, with what it was measured on, to results/<name>.jsonl."""
    import cv2
    import numpy
    import torch

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    where = {
        "date": date.today().isoformat(),
        "cores": len(os.sched_getaffinity(0)),
        "machine": platform.machine(),
        "gpu": gpu,
        "python": platform.python_version(),
        "versions": {"numpy": numpy.__version__, "torch": torch.__version__, "opencv": cv2.__version__},
    }
    path = Path(__file__).parent / "results" / f"{name}.jsonl"
    path.parent.mkdir(exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps(where | result) + "\n")
