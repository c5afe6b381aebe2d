"""All pairs of 64-bit hashes that differ in few bits.

python -m benchmarks.hamming [--rows 50000] [--bits 10]            on the CPU
python -m benchmarks.hamming --gpu [--rows 10000000]               on a GPU
"""

import argparse

import numpy as np

from benchmarks import medians, record, table
from pixsieve import kernels


def hashes(n: int) -> np.ndarray:
    """(n, 8) uint8: random, one in ten a copy with up to 12 bits turned."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, size=(n, 8), dtype=np.uint8)
    copies = rng.integers(n, size=n // 10)
    turned = rng.random((n // 10, 64)) < rng.integers(0, 13, size=(n // 10, 1)) / 64
    x[rng.permutation(n)[: n // 10]] = x[copies] ^ np.packbits(turned, axis=1)
    return x


def ours(x: np.ndarray, bits: int) -> int:
    return sum(len(i) for i, _, _ in kernels.pairs(x, threshold=1 - bits / 64, metric="hamming"))


def counted(x: np.ndarray, bits: int) -> int:
    """Population counts, a row against all behind it."""
    words = x.view(np.uint64)[:, 0]
    return sum(int((np.bitwise_count(words[at + 1 :] ^ words[at]) <= bits).sum()) for at in range(len(words)))


def faiss_range(x: np.ndarray, bits: int) -> int:
    import faiss

    index = faiss.IndexBinaryFlat(64)
    index.add(x)
    limits = index.range_search(x, bits + 1)[0]
    return int(limits[-1] - len(x)) // 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int)
    parser.add_argument("--bits", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--gpu", action="store_true")
    options = parser.parse_args()
    n = options.rows or (10_000_000 if options.gpu else 50_000)
    x = hashes(n)
    calls = {"pixsieve": lambda: ours(x, options.bits)}
    if options.gpu:
        import cupy

        there = cupy.asarray(x)
        ours(cupy.asarray(x[:10_000]), options.bits)
        calls = {"pixsieve": lambda: ours(there, options.bits)}
    else:
        calls["numpy bitwise_count"] = lambda: counted(x, options.bits)
        calls["faiss IndexBinaryFlat"] = lambda: faiss_range(x, options.bits)
    seconds, found = medians(calls, options.repeats)
    rows = [(name, s, s / seconds["pixsieve"], n * n / 2 / s / 1e9, found[name]) for name, s in seconds.items()]
    title = f"pairs of {n:,} 64-bit hashes that differ in at most {options.bits} bits, medians of {options.repeats}"
    table(title, ("", "seconds", "times ours", "1e9 pairs/s", "pairs"), rows)
    record("hamming", {"rows": n, "bits": options.bits, "on_gpu": options.gpu, "seconds": seconds, "pairs": found})


if __name__ == "__main__":
    main()
