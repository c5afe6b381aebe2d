"""What the fused kernel is once compiled for an H100, and what one may expect of it. Without a GPU; nothing is timed.

    python -m benchmarks.fused

A tensor core multiplies 64 x 256 x 16 numbers in 128 cycles, a multiprocessor takes 64 maxima a cycle; a tile waits for
its first loads. Programs that share a multiprocessor wait for its tensor cores only. What the L2 cache bears and clocks
under load, are left out: an expectation, not a measurement, and at most what can be seen.
"""

from benchmarks import record, table
from kernels import fused
from tests.kernels.compiled import VARIANTS, compiled

# Cycles until the first rows of a tile are there, about what a load from the L2 cache takes by the copy engine.
FIRST_LOADS = 800
# Operations a second of an 8192^3 product on an H100, and cycles a second of its multiprocessors under that load.
PRODUCT, CYCLES, MULTIPROCESSORS = 798e12, 1.5e9, 132
PER_CYCLE = 2 * 64 * 256 * 16 / 128


def expected(shape: fused.Shape, depth: int, maxima: int) -> float:
    """Share of the cycles in which the tensor cores of a multiprocessor multiply."""
    steps = -(-depth // shape.depth)
    multiply = steps * 2 * shape.rows * shape.columns * shape.depth / PER_CYCLE
    look = maxima * 32 * shape.warps / 64
    if shape.warps == 4:
        return multiply / max(multiply, (multiply + look + FIRST_LOADS) / 2)
    return multiply / (multiply + look + FIRST_LOADS)


def main() -> None:
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
        share = expected(shape, depth, made["maxima_of_every_tile"])
        rate = share * PER_CYCLE * MULTIPROCESSORS * CYCLES
        rows.append(
            (f"{name}, {variant}", depth, made["registers"], made["spilled"], made["shared"], share, rate / PRODUCT)
        )
        results.append({"shape": name, "variant": variant, "depth": depth, "expected_share": share} | made)
    head = ("tile", "depth", "registers", "spilled", "shared", "busy", "of the product")
    table("compiled for sm_90; expected, not measured: tensor cores busy, at most", head, rows)
    for result in results:
        print(
            result["shape"], result["variant"], result["depth"], result["maxima_of_every_tile"], result["instructions"]
        )
    record("fused", {"expected_not_measured": results})


if __name__ == "__main__":
    main()
