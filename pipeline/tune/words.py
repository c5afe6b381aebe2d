"""What a tuning says, in words and in plain characters."""

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from pixsieve.tune.axis import SIMILARITY, Axis
from pixsieve.tune.tuning import Tuning

WIDTH, HEIGHT = 64, 10  # characters of the plot
BLOCKS = " ▁▂▃▄▅▆▇█"
PLAIN = " #"  # where the terminal knows no blocks
HEADINGS = ("noise", "clusters", "largest cluster")


def basis(tuning: Tuning) -> list[str]:
    """What the numbers are made of."""
    if not tuning.sampled:
        return [f"{tuning.rows:,} rows that can be compared, min_samples {tuning.min_samples_used}."]
    share = percent(tuning.rows, tuning.usable)
    return [
        f"A sample, the same at each call: {tuning.rows:,} of {tuning.usable:,} rows that can be compared ({share}).",
        f"It is thinner than the run: min_samples is {tuning.min_samples_used} here for {tuning.min_samples} of all,"
        " and clusters too small to show in a sample are missed. More rows: --rows.",
    ]


def advice(tuning: Tuning) -> list[str]:
    """The suggestion and what it means, or why there is none."""
    found, axis = tuning.suggestion, tuning.axis
    if found is None:
        return [f"No {axis.name} to suggest: {tuning.reason}."]
    lines = [
        f"Suggested: {axis.setting}={found.value!r}",
        f"From {axis.shown(found.least)} to {axis.shown(found.most)} the clusters stay about the same: the widest such"
        " range. This is the middle of it.",
        f"At it, {percent(found.noise, tuning.rows)} of the rows are noise, and the others make {found.clusters:,}"
        f" clusters; the largest has {found.largest:,} rows ({percent(found.largest, tuning.rows)}).",
    ]
    if 2 * found.largest > tuning.rows - found.noise:
        lines.append("Beware: it holds more than half of the rows in clusters. They may be chained together.")
    return lines


def show(tuning: Tuning, console: Console) -> None:
    """Prints the k-distance curve, the table and the suggestion."""
    for line in basis(tuning):
        console.print(line, highlight=False)
    if tuning.k_distance:
        console.print(f"\n{k_distance_title(tuning)}:\n", highlight=False)
        blocks = BLOCKS if "utf" in console.encoding else PLAIN
        mark = None if tuning.suggestion is None else tuning.suggestion.value
        for line in plot(tuning.k_distance, mark, blocks, tuning.axis):
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
    what = "Similarity" if tuning.axis.falls else "Distance"
    return f"{what} of each row to its {which}, {'highest' if tuning.axis.falls else 'least'} first"


def _ending(n: int) -> str:
    return "th" if n % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")


def plot(values: list[float], mark: float | None, blocks: str, axis: Axis = SIMILARITY) -> Iterator[str]:
    """Lines of a plot of values, nearest first, drawn in `blocks`, from empty to full; `mark` is pointed at."""
    columns = [values[at * (len(values) - 1) // (WIDTH - 1)] for at in range(WIDTH)]
    (low, high), full = axis.limits(values), len(blocks) - 1
    room = (high - low) or 1.0
    heights = [(value - low) / room * (HEIGHT - 1) + 1 for value in columns]  # one row of blocks for the least
    at = (
        None
        if mark is None or not low <= mark <= high
        else HEIGHT - 1 - min(HEIGHT - 1, int((mark - low) / room * (HEIGHT - 1)) + 1)
    )
    for line in range(HEIGHT):
        base = HEIGHT - 1 - line
        drawn = "".join(blocks[round(min(max(height - base, 0.0), 1.0) * full)] for height in heights)
        label = axis.shown(low + room * base / (HEIGHT - 1)) if line % 3 == 0 else ""
        yield f"{label:>7} |{drawn}|" + (f" <- {mark!r}" if line == at else "")
    yield f"{'':>8}0 %{'of the rows':^{WIDTH - 5}}100 %"


def percent(part: int, whole: int) -> str:
    return f"{100 * part / max(whole, 1):.1f} %"


def table(tuning: Tuning) -> list[tuple[list[str], bool]]:
    """The lines of the table: value, noise, clusters, largest cluster; and whether it is the suggested one."""
    of, axis = tuning.table, tuning.axis
    lines = []
    for value, noise, clusters, largest in zip(of.value, of.noise, of.clusters, of.largest, strict=True):
        suggested = tuning.suggestion is not None and value == tuning.suggestion.value
        shown = f"{value!r}" if suggested else axis.shown(value)
        shown = shown.removesuffix("0") if axis.falls and not suggested else shown
        size = f"{largest:,} ({percent(largest, tuning.rows)})"
        lines.append(([shown, percent(noise, tuning.rows), f"{clusters:,}", size], suggested))
    return lines


def _table(tuning: Tuning) -> Table:
    drawn = Table(tuning.axis.name, *HEADINGS, "")
    for column in drawn.columns[:4]:
        column.justify = "right"
    for cells, suggested in table(tuning):
        drawn.add_row(*cells, "suggested" * suggested, style="bold" if suggested else None)
    return drawn
