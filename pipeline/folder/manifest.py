"""Which rows a run has, in which batches and blocks, and which of them are dead.

`manifest/blocks.json` is the one commit point of a scan: what it does not name does not exist. A whole batch is never
written again. The last one grows until it is whole, under a new name each time; its rows keep their numbers.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pixsieve import files
from pixsieve.config.load import COMMITTED as BLOCKS

# What a source says of its rows. key: the user's name of the row. uri: how to read it again, relative to source.path,
# so that a data set can move. stamp: whatever changes when the bytes change (mtime in ns, a digest, an object store's
# etag). label: what the source says the row is, or null; of an image, the name of its folder.
LISTING = pa.schema(
    [
        ("key", pa.string()),
        ("uri", pa.string()),
        ("bytes", pa.int64()),
        ("stamp", pa.string()),
        ("label", pa.string()),
    ]
)
ROWS = LISTING.insert(0, pa.field("row", pa.int64()))


class Places(NamedTuple):
    """Of some rows those that lie in one batch."""

    batch: int
    at: np.ndarray  # (m,) their places among the rows
    offset: np.ndarray  # (m,) their places in the batch


class Part(NamedTuple):
    """A file of the manifest: the rows of a batch, or those that are removed."""

    rows: int
    digest: str
    name: str  # without folder and suffix


class Grown(NamedTuple):
    """What the batch that has grown last was before."""

    batch: int
    parts: tuple[Part, ...]  # the latest last; their files are gone


@dataclass(frozen=True, eq=False)  # arrays do not compare to one truth
class Manifest:
    root: Path
    batch_rows: int
    batches: tuple[Part, ...]  # manifest/<name>.parquet
    blocks: tuple[tuple[int, ...], ...]  # batch numbers
    removed: tuple[Part, ...]  # removed/<name>.parquet
    grown: Grown
    dead: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))  # rows that are removed, ascending
    numbered: bool | None = None  # the keys are numbers, for their order; None: rows have the order of a former version

    @classmethod
    def load(cls, root: Path) -> Self | None:
        path = root / BLOCKS
        if not path.exists():
            return None
        with files.intact(path):
            return cls._of(root, files.read_json(path))

    @classmethod
    def _of(cls, root: Path, value: dict[str, Any]) -> Self:
        removed = _parts(value["removed"])
        gone = [files.read_table(root / _removed(part))["row"].to_numpy() for part in removed]
        batch, parts = value.get("grown", (-1, ()))
        return cls(
            root,
            value["batch_rows"],
            _parts(value["batches"]),
            tuple(tuple(block) for block in value["blocks"]),
            removed,
            Grown(batch, _parts(parts)),
            np.sort(np.concatenate([np.empty(0, np.int64), *gone])),
            value.get("numbered"),
        )

    def save(self) -> None:
        names = ("batch_rows", "batches", "blocks", "removed", "grown", "numbered")
        files.write_json(self.root / BLOCKS, {name: getattr(self, name) for name in names})

    @property
    def numbers(self) -> int:
        """Row numbers that the batches have room for; a short one leaves some unused."""
        return len(self.batches) * self.batch_rows

    @property
    def rows(self) -> int:
        return sum(part.rows for part in self.batches)

    def batch_names(self) -> list[str]:
        return [part.name for part in self.batches]

    def digests(self) -> dict[str, str]:
        """Of the files that there are, and of those that the last batch was before."""
        rows = {f"manifest/{part.name}.parquet": part.digest for part in (*self.grown.parts, *self.batches)}
        return rows | {_removed(part): part.digest for part in self.removed}

    def files(self, *folders: str) -> tuple[str, ...]:
        """The files that say which rows there are; after those of the batches, the tables that other folders have of
        each batch."""
        tables = (f"{folder}/{name}.parquet" for folder in ("manifest", *folders) for name in self.batch_names())
        return (*tables, *self.removed_files())

    def removed_files(self) -> list[str]:
        return [_removed(part) for part in self.removed]

    def rows_of(self, batches: Sequence[int]) -> slice:
        """The row numbers of consecutive batches, those that are not used too."""
        return slice(batches[0] * self.batch_rows, (batches[-1] + 1) * self.batch_rows)

    def batch_of(self, rows: np.ndarray) -> np.ndarray:
        return rows // self.batch_rows

    def by_batch(self, rows: np.ndarray) -> Iterator[Places]:
        """Where rows (n,), in any order, lie: batch by batch."""
        batches = self.batch_of(rows)
        for batch in np.unique(batches).tolist():
            here = np.flatnonzero(batches == batch)
            yield Places(batch, here, rows[here] - batch * self.batch_rows)

    def dead_in(self, batches: Sequence[int]) -> np.ndarray:
        """The removed rows of some batches, ascending."""
        return self.dead[self.lie_in(self.dead, batches)]

    def lie_in(self, rows: np.ndarray, batches: Sequence[int]) -> np.ndarray:
        """(n,) booleans: which of the rows (n,) lie in some batches."""
        return np.isin(self.batch_of(rows), batches)

    def table(self, batch: int, columns: list[str] | None = None) -> pa.Table:
        """ROWS of one batch, or the chosen columns of these."""
        path = self.root / f"manifest/{self.batches[batch].name}.parquet"
        if columns is not None and "label" not in columns:
            return files.read_table(path, columns)
        table = files.read_table(path)
        if "label" not in table.column_names:  # written before there were labels; a batch is never written again
            table = table.append_column("label", pa.nulls(len(table), pa.string()))
        return table if columns is None else table.select(columns)

    def all(self, columns: list[str]) -> pa.Table:
        """The chosen columns of every row that was ever there, by row number."""
        empty = pa.schema([ROWS.field(name) for name in columns]).empty_table()
        return pa.concat_tables([empty, *(self.table(batch, columns) for batch in range(len(self.batches)))])

    def of_rows(self, rows: np.ndarray, column: str) -> pa.ChunkedArray:
        """(n,) values of a column for the rows (n,)."""
        table = self.all(["row", column])
        return table[column].take(pa.array(np.searchsorted(table["row"].to_numpy(), rows)))

    def living(self, columns: list[str]) -> pa.Table:
        """`row` and the chosen columns of the rows that are not removed, by row number."""
        table = self.all(["row", *columns])
        return table.filter(pa.array(self.live()[table["row"].to_numpy()]))

    def live(self) -> np.ndarray:
        """(numbers,) booleans: rows that exist and are not removed."""
        alive = np.zeros(self.numbers, bool)
        for batch, part in enumerate(self.batches):
            alive[batch * self.batch_rows : batch * self.batch_rows + part.rows] = True
        alive[self.dead] = False
        return alive

    def key_rank(self) -> np.ndarray:
        """(numbers,) place of each row's key among all keys; unused numbers come last. A changed row shares its key
        with the dead row that it replaces; between these the older one comes first."""
        table = self.all(["row", "key"])
        order = self.key_order(table["key"])
        rank = np.full(self.numbers, self.numbers, np.int64)
        rank[table["row"].to_numpy()[order]] = np.arange(len(order))
        return rank

    def key_order(self, keys: pa.ChunkedArray) -> np.ndarray:
        """(n,) the places of keys (n,) in their order, as text or as numbers. Of equal ones the first stands first."""
        table = pa.table({"key": keys.cast(pa.int64()) if self.numbered else keys, "place": np.arange(len(keys))})
        return pc.sort_indices(table, sort_keys=[("key", "ascending"), ("place", "ascending")]).to_numpy()


def number_of(name: str) -> int:
    """The number of a batch by its name."""
    return int(name.partition("-")[0])


def cut(batches: int, whole: int, per_block: int) -> tuple[tuple[int, ...], ...]:
    """The batches of each block. Whole batches come `per_block` together; those left over by halves, so that an added
    one disturbs few; the last one, while it grows, by itself. Nothing but the numbers decides."""
    blocks, at, size = list[tuple[int, ...]](), 0, per_block
    while at < batches:
        while size > max(whole - at, 1):
            size //= 2
        blocks.append(tuple(range(at, at + size)))
        at += size
    return tuple(blocks)


def _parts(values: list[Any]) -> tuple[Part, ...]:
    """Those of a former version have no names: each is called by its number."""
    return tuple(Part(rows, digest, *(name or [f"{at:05}"])) for at, (rows, digest, *name) in enumerate(values))


def _removed(part: Part) -> str:
    return f"removed/{part.name}.parquet"
