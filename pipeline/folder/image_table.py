"""What the embed stage writes down of each row: RUN/images/*.parquet, one for each batch, as the manifest has them."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pixsieve import files
from pixsieve.folder.run_folder import Run
from pixsieve.images.detail import BANDS
from pixsieve.images.statistics import STATISTICS
from pixsieve.images.status import READABLE

FOLDER = "images"
SCHEMA = pa.schema(
    [
        ("row", pa.int64()),
        ("status", pa.string()),
        ("reason", pa.string()),
        ("file_digest", pa.binary(16)),  # xxh3-128 of the bytes
        ("pixel_digest", pa.binary(16)),  # of all that is held, upright: equal for one picture in two containers
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("format", pa.string()),  # by the content of the file; null where that is unknown
        ("chroma", pa.binary(128)),  # 8 x 8 cells of images/colour.py, two bytes each
        ("spectrum", pa.binary(BANDS)),  # of images/detail.py, a byte each
        ("blocking", pa.float32()),  # of images/blocks.py; null for a JPEG
        ("seen", pa.string()),  # what is looked at of it, where that is not all; else ""
        ("taken", pa.timestamp("ms")),  # as the clock of the camera had it; null where EXIF does not say
        ("camera", pa.string()),  # maker, model and serial number, likewise
        *((name, pa.float32()) for name in STATISTICS),
        ("featureless", pa.bool_()),  # whether the model of two views has no vector for it; null without one
    ]
)


def living(run: Run, columns: list[str]) -> pa.Table:
    """`row` and the chosen columns of the rows that are not removed, by row number."""
    columns = ["row", *columns]
    empty = pa.schema([SCHEMA.field(name) for name in columns]).empty_table()
    paths = (run.path / f"{FOLDER}/{name}.parquet" for name in run.manifest.batch_names())
    table = pa.concat_tables([empty, *(files.read_table(path, columns) for path in paths)])
    return table.filter(pa.array(run.manifest.live()[table["row"].to_numpy()]))


def readable(status: pa.ChunkedArray) -> np.ndarray:
    """(n,) booleans: rows that have pixels, or numbers."""
    return pc.is_in(status, pa.array(READABLE)).to_numpy()


def codes(values: pa.ChunkedArray) -> np.ndarray:
    """(n,) equal numbers for equal values, -1 for null."""
    encoded = values.combine_chunks().dictionary_encode()
    indices = (encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded).indices
    return np.asarray(indices.fill_null(-1))
