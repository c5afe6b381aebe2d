"""Measurements. Each prints a table with ratios of one run and appends it to results/."""

import json
import multiprocessing
import os
import platform
import resource
import statistics
import time
from collections.abc import Callable
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import Any

PEERS = (
    "numpy",
    "scipy",
    "scikit-learn",
    "faiss-cpu",
    "fast_hdbscan",
    "cleanlab",
    "torch",
    "cupy-cuda13x",
    "cuml-cu13",
)


def record(name: str, result: dict[str, Any]) -> None:
    """Appends a result, with what it was measured on, to results/<name>.jsonl."""
    import torch

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    installed = {dist.metadata["Name"]: dist.version for dist in metadata.distributions()}
    where = {
        "date": date.today().isoformat(),
        "cores": len(os.sched_getaffinity(0)),
        "machine": platform.machine(),
        "gpu": gpu,
        "python": platform.python_version(),
        "versions": {peer: installed[peer] for peer in (*PEERS, "opencv-python-headless") if peer in installed},
    }
    path = Path(__file__).parent / "results" / f"{name}.jsonl"
    path.parent.mkdir(exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps(where | result) + "\n")


def medians(calls: dict[str, Callable[[], Any]], repeats: int) -> tuple[dict[str, float], dict[str, Any]]:
    """Seconds of each call, the median of `repeats` rounds in turn, and what it returned last."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    found = {}
    for _ in range(repeats):
        for name, call in calls.items():
            started = time.perf_counter()
            found[name] = call()
            seconds[name].append(time.perf_counter() - started)
    return {name: statistics.median(values) for name, values in seconds.items()}, found


def apart(call: Callable[..., Any], *args: Any) -> tuple[Any, float, int]:
    """What the call returns in a process of its own, its seconds, and by how many megabytes the process grew."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measured, (call, args))


def _measured(call: Callable[..., Any], args: tuple[Any, ...]) -> tuple[Any, float, int]:
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    found = call(*args)
    seconds = time.perf_counter() - started
    return found, seconds, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10


def table(title: str, head: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    cells = [
        [
            f"{cell:,.2f}" if isinstance(cell, float) else f"{cell:,}" if isinstance(cell, int) else str(cell)
            for cell in row
        ]
        for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(head, *cells, strict=True)]
    print(f"\n{title}")
    for row in (list(head), *cells):
        print(
            "  ".join(
                [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
            )
        )
