"""`python -m benchmarks.join --gpu`: the fused kernel against the tiles, the GPU's own matrix product, and peers."""

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from benchmarks import medians, record, table
from benchmarks.pairs import keys, truth
from pixsieve import kernels
from pixsieve.kernels.engines.device import Device, cupy_runtime

DEPTHS = (64, 384, 512, 768)
# Rows of a sample of which every pair is looked at in float64, on the host.
SAMPLE = 2000
BLOCK = 8192


def main(sizes: list[int], similarity: float, repeats: int, given: np.ndarray | None) -> None:
    runtime, peak = cupy_runtime(), matrix_product(repeats)
    print(f"8192^3 product in half precision: {peak / 1e12:,.0f} TFLOP/s")
    shapes = [(n, d) for d in DEPTHS for n in sizes] if given is None else [given.shape]
    for n, d in shapes:
        free = runtime.free_memory()
        if n * d * 8 > free:  # the rows, and twice their copy as operands
            print(f"{n:,} x {d}: not measured, needs {n * d * 8 / 2**30:.0f} GB of {free / 2**30:.0f}")
            continue
        x = groups(n, d) if given is None else runtime.xp.asarray(given)
        one(x, similarity, repeats, peak, "groups" if given is None else "given")
        del x


def one(x: Any, similarity: float, repeats: int, peak: float, source: str) -> None:
    n, d = x.shape
    work = 2.0 * n * n * d  # of all products; by symmetry, half of them are made
    every = {
        "counts": lambda: _done(kernels.counts(x, threshold=similarity, prefix="off")),
        "pairs": lambda: found(x, similarity, "off"),
        "pairs, prefix auto": lambda: found(x, similarity, "auto"),
    }
    made = {"counts": work / 2, "pairs": work / 2}
    calls: dict[str, Callable[[], Any]] = {f"fused: {name}": call for name, call in every.items()}
    calls |= {f"tiles: {name}": tiled(call) for name, call in every.items()}
    calls |= {"torch tiles": lambda: torch_tiles(x, similarity)} | peers(x)
    executed = {f"{way}: {name}": each for way in ("fused", "tiles") for name, each in made.items()}
    executed["torch tiles"] = work
    for call in calls.values():
        call()
    seconds, answers = medians(calls, repeats)
    rows = [
        (
            name,
            s,
            s / seconds["fused: pairs"],
            *((executed[name] / s / 1e12, executed[name] / s / peak) if name in executed else ("", "")),
            work / s / 1e12,
            work / s / peak,
        )
        for name, s in seconds.items()
    ]
    title = f"{n:,} x {d} ({source}), similarity {similarity}, medians of {repeats}"
    table(title, ("", "seconds", "times ours", "TFLOP/s", "share", "effective TFLOP/s", "effective share"), rows)
    checked = {name: rechecked(call) for name, call in every.items()}
    wrong = {name: mismatches(x, similarity, prefix) for name, prefix in (("pairs", "off"), ("prefix auto", "auto"))}
    print(f"re-checked in float64: {checked}; wrong among {SAMPLE} rows: {wrong}")
    result = {"rows": [n, d], "vectors": source, "similarity": similarity, "gemm_tflops": peak / 1e12}
    result |= {"seconds": seconds, "pairs": answers["fused: pairs"], "rechecked": checked, "wrong_of_a_sample": wrong}
    record("join", {"gpu_run": result})


def matrix_product(repeats: int) -> float:
    """Operations a second of a product of two 8192 x 8192 matrices in half precision."""
    import torch

    a = torch.randn(8192, 8192, device="cuda").half()

    def product() -> None:
        torch.mm(a, a)
        torch.cuda.synchronize()

    product()
    return 2 * 8192**3 / medians({"product": product}, max(10, repeats))[0]["product"]


def groups(n: int, d: int) -> Any:
    """(n, d) float16 unit rows in groups of about twelve, drawn on the GPU: the host takes minutes for millions."""
    xp = cupy_runtime().xp
    draw = xp.random.default_rng(0)
    centres = draw.standard_normal((max(n // 12, 1), d), dtype=np.float32)
    x = xp.empty((n, d), np.float16)
    for at in range(0, n, 2**17):
        size = min(2**17, n - at)
        rows = centres[draw.integers(0, len(centres), size)]
        rows += 0.2 * draw.standard_normal((size, d), dtype=np.float32)
        x[at : at + size] = rows / xp.linalg.norm(rows, axis=1, keepdims=True)
    return x


def _done(value: Any) -> Any:
    cupy_runtime().xp.cuda.Device().synchronize()
    return value


def found(x: Any, similarity: float, prefix: Any) -> int:
    return _done(sum(len(i) for i, _, _ in kernels.pairs(x, threshold=similarity, prefix=prefix)))


def tiled(call: Callable[[], Any]) -> Callable[[], Any]:
    """The same without the fused kernel."""

    def without() -> Any:
        runtime = cupy_runtime()
        fused, runtime.fused = runtime.fused, None
        try:
            return call()
        finally:
            runtime.fused = fused

    return without


def torch_tiles(x: Any, similarity: float) -> int:
    """What one would write: products of blocks, both halves, compared in half precision."""
    import torch

    y, count = torch.from_dlpack(x), 0
    for top in range(0, len(y), BLOCK):
        for left in range(0, len(y), BLOCK):
            count += int((y[top : top + BLOCK] @ y[left : left + BLOCK].T >= similarity).sum())
    return count


def peers(x: Any) -> dict[str, Callable[[], Any]]:
    """Brute force of those installed. They have no search within a radius on a GPU: ten neighbours of each row."""
    calls: dict[str, Callable[[], Any]] = {}
    if importlib.util.find_spec("cuvs"):
        from cuvs.neighbors import brute_force

        index = brute_force.build(x, metric="inner_product")
        calls["cuVS brute force, k = 10"] = lambda: _done(brute_force.search(index, x, 10))
    if importlib.util.find_spec("faiss"):
        import faiss

        if hasattr(faiss, "StandardGpuResources"):
            import faiss.contrib.torch_utils  # takes tensors on the GPU
            import torch

            resources, y = faiss.StandardGpuResources(), torch.from_dlpack(x)

            def knn() -> Any:
                return _done(faiss.knn_gpu(resources, y, y, 10, metric=faiss.METRIC_INNER_PRODUCT))

            calls["FAISS GPU brute force, k = 10"] = knn
    return calls


@contextmanager
def counted() -> Iterator[list[int]]:
    """How many pairs are computed in float64 meanwhile."""
    closeness, count = Device.closeness, [0]

    def counting(self: Any, space: Any, i: Any, j: Any) -> Any:
        count[0] += len(i)
        return closeness(self, space, i, j)

    Device.closeness = counting  # type: ignore[method-assign]
    try:
        yield count
    finally:
        Device.closeness = closeness  # type: ignore[method-assign]


def rechecked(call: Callable[[], Any]) -> int:
    with counted() as count:
        call()
    return count[0]


def mismatches(x: Any, similarity: float, prefix: Any) -> int:
    """Of the pairs of all rows, those inside a sample that a float64 brute force of the sample does not find, and those
    that it finds and we do not. The sample: rows of the first pairs found, and others."""
    found = [tuple(map(_host, chunk[:2])) for chunk in kernels.pairs(x, threshold=similarity, prefix=prefix)]
    i, j = (np.concatenate(side) for side in zip(*found, strict=True))
    paired = np.unique(np.concatenate([i[: SAMPLE // 4], j[: SAMPLE // 4]]))
    chosen = np.union1d(paired, np.arange(SAMPLE // 2) * len(x) // (SAMPLE // 2))
    place = np.full(len(x), -1)
    place[chosen] = np.arange(len(chosen))
    both = (place[i] >= 0) & (place[j] >= 0)
    ours = keys(place[i[both]], place[j[both]], len(chosen))
    return len(np.setxor1d(ours, truth(_host(x[chosen]), similarity)))


def _host(x: Any) -> np.ndarray:
    return x if isinstance(x, np.ndarray) else x.get()
