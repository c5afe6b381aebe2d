"""What the fused kernel is once compiled for an H100, and what one may expect of it. Without a GPU; nothing is timed.

    python -m benchmarks.fused [--vectors X.npy --rows 50000 --similarity 0.95]

A tensor core multiplies 64 x 256 x 16 numbers in 128 cycles, a multiprocessor takes 64 maxima a cycle; a tile waits for
its first loads. Programs that share a multiprocessor wait for its tensor cores only. What the L2 cache bears and clocks
under load, are left out: an expectation, not a measurement, and at most what can be seen. Of vectors, the tiles that a
prefix leaves are counted.
"""

import argparse
from pathlib import Path

import numpy as np

from benchmarks import record, table
from pixsieve.kernels.engines import fused, host
from pixsieve.kernels.engines.device import Device
from pixsieve.kernels.search import locality, screen
from pixsieve.kernels.search.exact import space
from tests.kernels.compiled import VARIANTS, compiled

# Cycles until the first rows of a tile are there, about what a load from the L2 cache takes by the copy engine.
FIRST_LOADS = 800
# Operations a second of an 8192^3 product on an H100, and cycles a second of its multiprocessors under that load.
PRODUCT, CYCLES, MULTIPROCESSORS = 798e12, 1.5e9, 132
PER_CYCLE = 2 * 64 * 256 * 16 / 128


def expected(shape: fused.Shape, depth: int, maxima: int = 1) -> float:
    """Share of the cycles in which the tensor cores of a multiprocessor multiply. maxima: of a score, in every tile."""
    steps = -(-depth // shape.depth)
    multiply = steps * 2 * shape.rows * shape.columns * shape.depth / PER_CYCLE
    look = maxima * shape.rows * shape.columns / 64
    if shape.warps == 4:
        return multiply / max(multiply, (multiply + look + FIRST_LOADS) / 2)
    return multiply / (multiply + look + FIRST_LOADS)


def left_by_a_prefix(x: np.ndarray, similarity: float) -> dict[str, float]:
    """Of the tiles of the shallow shape, the share with a pair that 63 coordinates and the length of the rest leave,
    the share with too many to be looked at one by one; and the share of pairs in the others."""
    engine, side = host.Host(), fused.HOPPER.shallow.rows
    frame = screen.Frame(np, space(engine, x, None, "cosine"))
    axes = locality.principal(np, frame)
    order, _ = locality.order(engine, frame, axes)
    short = screen.prefix(engine, frame, order, axes)
    low, n = similarity - short.slack, len(x) // side * side
    alive = crowded = alone = tiles = 0
    for top in range(0, n, side):
        product = short.left[top : top + side] @ short.right[top:n].T
        left = (product >= low).reshape(side, -1, side).sum(axis=(0, 2))
        left[0] -= side  # rows with themselves
        many = left > side * side // Device.gather
        tiles, alive, crowded = tiles + len(left), alive + int((left > 0).sum()), crowded + int(many.sum())
        alone += int(left[~many].sum())
    return {"alive": alive / tiles, "crowded": crowded / tiles, "alone": alone / (tiles * side * side)}


def with_prefix(x: np.ndarray, similarity: float) -> dict[str, float]:
    """Expected operations a second of all n^2 products, as a multiple of the matrix product's."""
    left = left_by_a_prefix(x, similarity)
    depth, rate = x.shape[1], PER_CYCLE * MULTIPROCESSORS * CYCLES
    seconds = 2 * 64 / (rate * expected(fused.HOPPER.shallow, 64))
    busy = expected(fused.HOPPER.shallow, depth)
    seconds += left["crowded"] * 2 * depth / (rate * busy)
    seconds += left["alone"] * Device.gather * 2 * depth / rate
    return left | {"times_the_product": 2 * 2 * depth / seconds / PRODUCT}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", type=Path)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--similarity", type=float, nargs="+", default=[0.99, 0.97, 0.95])
    options = parser.parse_args()
    if options.vectors:
        x = np.load(options.vectors)[: options.rows]
        found = {similarity: with_prefix(x, similarity) for similarity in options.similarity}
        title = f"prefix of 63 on {len(x):,} x {x.shape[1]}: counted shares, and the expected rate of all n^2 products"
        head = ("similarity", "tiles alive", "tiles crowded", "pairs alone", "times the product")
        table(title, head, [(str(s), *(f"{value:.2g}" for value in each.values())) for s, each in found.items()])
        record("fused", {"expected_not_measured": found, "vectors": options.vectors.name, "rows": list(x.shape)})
        return
    rows, results = [], []
    for name, variant, depth in (
        ("deep", "triangle", 384),
        ("deep", "triangle", 512),
        ("deep", "triangle", 768),
        ("deep", "distances", 384),
        ("deep", "lists", 384),
        ("shallow", "triangle", 64),
        ("shallow", "sifted", 64),
    ):
        shape = getattr(fused.HOPPER, name)
        made = compiled(90, shape, fused.HOPPER.pointers, VARIANTS[variant])
        share = expected(shape, depth, 2 if variant == "lists" else 1)
        rate = share * PER_CYCLE * MULTIPROCESSORS * CYCLES
        rows.append(
            (f"{name}, {variant}", depth, made["registers"], made["spilled"], made["shared"], share, rate / PRODUCT)
        )
        results.append({"shape": name, "variant": variant, "depth": depth, "expected_share": share} | made)
    head = ("tile", "depth", "registers", "spilled", "shared", "busy", "of the product")
    table("compiled for sm_90; expected, not measured: tensor cores busy, at most", head, rows)
    for result in results:
        print(result["shape"], result["variant"], result["depth"], result["instructions"])
    record("fused", {"expected_not_measured": results})


if __name__ == "__main__":
    main()
