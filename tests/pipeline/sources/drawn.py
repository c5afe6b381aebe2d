"""Some given vectors with keys and labels, and what a run makes of them."""

from pathlib import Path

from pixsieve import Summary

N, D = 120, 6


KEYS = [f"k{row}" for row in range(N)]  # in the order of the row numbers, as texts


LABELS = [f"person {row % 7}" for row in range(N)]


CUT = ("run.batch_rows=50",)


def shards(out: Path) -> dict[str, bytes]:
    place = out / "embeddings.zarr/vectors"
    return {str(p.relative_to(place)): p.read_bytes() for p in sorted(place.rglob("c/**/*")) if p.is_file()}


def changes(summary: Summary) -> tuple[int, int]:
    counts = summary.stages[0].counts
    return counts["new"], counts["removed"]
