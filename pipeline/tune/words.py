"""What a tuning says, in words and in plain characters."""

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from pipeline.tune.tuning import Tuning

WIDTH, HEIGHT = 64, 10  # characters of the plot
BLOCKS = " ▁▂▃▄▅▆▇█"
PLAIN = " #"  # where the terminal knows no blocks


def basis(tuning: Tuning) -> list[str]:
    """What the numbers are made of."""
    lines = [f"{tuning.rows:,} rows that can be compared, min_samples {tuning.min_samples_used}."]
    if tuning.sampled:
        lines = [
            f"A sample: {tuning.rows:,} of {tuning.usable:,} rows that can be compared ({tuning.rows / tuning.usable:.1%}),"
            " the same at each call.",
            f"It is thinner than the run, so that min_samples {tuning.min_samples} of the run is"
            f" {tuning.min_samples_used} here; clusters too small to show in the sample are missed. More rows: --rows.",
        ]
    return lines


def advice(tuning: Tuning) -> list[str]:
    """The suggestion and what it means, or why there is none."""
    found = tuning.suggestion
    if found is None:
        return [f"No similarity to suggest: {tuning.reason}."]
    inside = tuning.rows - found.noise
    lines = [
        f"Suggested: cluster.similarity={found.similarity!r}",
        f"From {found.least:.3f} to {found.most:.3f} the clusters stay about the same: the widest such range. This is"
        " the middle of it.",
        f"At it, {found.noise / tuning.rows:.1%} of the rows are noise, and the others make {found.clusters:,} clusters;"
        f" the largest has {found.largest:,} rows ({found.largest / tuning.rows:.1%}).",
    ]
    if 2 * found.largest > inside:
        lines.append("Beware: it holds more than half of the rows in clusters. They may be chained together.")
    return lines


def show(tuning: Tuning, console: Console) -> None:
    """Prints the k-distance curve, the table and the suggestion."""
    for line in basis(tuning):
        console.print(line, highlight=False)
    if tuning.k_distance and tuning.min_samples_used > 1:
        console.print(f"\n{k_distance_title(tuning)}:\n", highlight=False)
        blocks = BLOCKS if "utf" in console.encoding else PLAIN
        mark = None if tuning.suggestion is None else tuning.suggestion.similarity
        for line in plot(tuning.k_distance, mark, blocks):
            console.print(line, highlight=False, markup=False, no_wrap=True, overflow="ignore", crop=False)
    console.print()
    console.print(_table(tuning))
    console.print()
    for line in advice(tuning):
        console.print(line, highlight=False)
    if tuning.command:
        console.print(f"Take it: {tuning.command}", highlight=False, markup=False, soft_wrap=True)


def k_distance_title(tuning: Tuning) -> str:
    nth = tuning.min_samples_used - 1
    which = "nearest other row" if nth == 1 else f"{nth}{_ending(nth)} nearest other row"
    return f"Similarity of each row to its {which}, highest first"


def _ending(n: int) -> str:
    return "th" if n % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")


def plot(values: list[float], mark: float | None, blocks: str) -> Iterator[str]:
    """Lines of a plot of descending values of at most 1, drawn in `blocks`, from empty to full; `mark` is pointed at."""
    columns = [values[at * (len(values) - 1) // (WIDTH - 1)] for at in range(WIDTH)]
    low, full = min(values), len(blocks) - 1
    room = (1 - low) or 1.0
    heights = [(value - low) / room * (HEIGHT - 1) + 1 for value in columns]  # one row of blocks for the least
    at = (
        None
        if mark is None or mark < low
        else HEIGHT - 1 - min(HEIGHT - 1, int((mark - low) / room * (HEIGHT - 1)) + 1)
    )
    for line in range(HEIGHT):
        base = HEIGHT - 1 - line
        drawn = "".join(blocks[round(min(max(height - base, 0.0), 1.0) * full)] for height in heights)
        label = f"{low + room * base / (HEIGHT - 1):.3f}" if line % 3 == 0 else ""
        yield f"{label:>7} |{drawn}|" + (f" <- {mark!r}" if line == at else "")
    yield f"{'':>8}0 %{'of the rows':^{WIDTH - 5}}100 %"


def _table(tuning: Tuning) -> Table:
    table = Table("similarity", "noise", "clusters", "largest cluster", "")
    for column in table.columns[:4]:
        column.justify = "right"
    lines = zip(*(getattr(tuning.table, name) for name in ("similarity", "noise", "clusters", "largest")), strict=True)
    total = max(tuning.rows, 1)
    for similarity, noise, clusters, largest in lines:
        suggested = tuning.suggestion is not None and similarity == tuning.suggestion.similarity
        table.add_row(
            f"{similarity:g}" if suggested else f"{similarity:.3f}".removesuffix("0"),
            f"{noise / total:.1%}",
            f"{clusters:,}",
            f"{largest:,} ({largest / total:.1%})",
            "suggested" if suggested else "",
            style="bold" if suggested else None,
        )
    return table
