"""Which files of a folder are rows: what source.pattern and source.exclude say, and what a picture is where no pattern
does.

Without a pattern, the suffix decides where it is known (images/signs.py); a file with another one, or with none, is a
row if its first bytes are those of an image.
"""

import difflib
from collections.abc import Callable
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pixsieve.config.sections import Source
from pixsieve.folder.skipped import CONTENT, EXCLUDED, PATTERN, SUFFIX, by_suffix, in_words
from pixsieve.images import signs
from pixsieve.sources import patterns, vector_files

Matcher = Callable[[str], bool]
NEAREST = 5  # suffixes that are told


class Rule(NamedTuple):
    wanted: Matcher | None  # by source.pattern; None: what is a picture
    unwanted: Matcher  # by source.exclude
    may_want_in: Matcher  # whether a folder (its relative path) may hold what is wanted

    def leaves_out(self, folder: str) -> bool:
        """Whether a folder (its relative path) is left out with all that is in it."""
        return self.unwanted(folder) or self.unwanted(f"{folder}/")

    def why_skipped(self, path: str, head: Callable[[], bytes]) -> str | None:
        """Why a file (its relative path) is no row; None: it is one. head: its first bytes (signs.HEAD), asked for only
        where they decide. A file for which it raises OSError is a row, so that it will be reported."""
        if self.unwanted(path):
            return EXCLUDED
        if self.wanted is not None:
            return None if self.wanted(path) else PATTERN
        suffix = patterns.suffix(path)
        if suffix in signs.IMAGES:
            return None
        if suffix in signs.OTHERS:
            return SUFFIX
        try:
            return None if signs.looks_like_image(head()) else CONTENT
        except OSError:
            return None


def rule(source: Source) -> Rule:
    wanted = None if source.pattern is None else patterns.matcher(source.pattern)
    return Rule(
        wanted,
        patterns.matcher(source.exclude) if source.exclude else _nothing,
        _everything if source.pattern is None else patterns.within(source.pattern),
    )


def no_rows(source: Source, skipped: pa.Table) -> str:
    """What to say of a folder with no row: what was asked for, and what is there (SKIPPED), the suffixes nearest to
    those of the pattern first."""
    if not len(skipped):
        return "has no files, those whose names begin with a dot aside"
    keys = skipped["key"].filter(pc.not_equal(skipped["why"], EXCLUDED))
    out = len(skipped) - len(keys)
    excluded = f"source.exclude {source.exclude!r} takes {out:,} of its files and folders" * bool(out)
    if not len(keys):
        return f"has nothing left: {excluded}"
    counts, example = by_suffix(keys), keys[0].as_py()
    names = list(counts)
    if source.pattern is not None:
        asked = " ".join(one[one.rfind(".") :].lower() for one in patterns.listed(source.pattern) if "." in one)
        names = difflib.get_close_matches(asked, names, n=NEAREST, cutoff=0)
        like = keys.filter(pc.ends_with(pc.utf8_lower(keys), names[0]))
        example = (like if len(like) else keys)[0].as_py()
    more = ", and others" * (len(names) < len(counts))
    there = f"{in_words({name: counts[name] for name in names})}{more} (one is {example!r})"
    wanted = (
        "has no picture" if source.pattern is None else f"has no file that matches source.pattern {source.pattern!r}"
    )
    given = {*counts} & {*vector_files.READERS, ".npy"}
    hint = "for vectors, give one of the files; Parquet files together: --set source.format=vectors" * bool(given)
    return "; ".join(part for part in (f"{wanted}; there are {there}", excluded, hint) if part)


def _nothing(path: str) -> bool:
    return False


def _everything(path: str) -> bool:
    return True
