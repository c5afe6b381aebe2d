"""Which files of a folder are rows: what source.pattern and source.exclude say, and what a picture is where no pattern
does.

Without a pattern, the suffix decides where it is known (images/signs.py); a file with another one, or with none, is a
row if its first bytes are those of an image.
"""

from collections.abc import Callable
from typing import NamedTuple

from pixsieve.config.sections import Source
from pixsieve.folder.skipped import CONTENT, EXCLUDED, PATTERN, SUFFIX
from pixsieve.images import signs
from pixsieve.sources import patterns

Matcher = Callable[[str], bool]


class Rule(NamedTuple):
    wanted: Matcher | None  # by source.pattern; None: what is a picture
    unwanted: Matcher  # by source.exclude

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
    return Rule(wanted, patterns.matcher(source.exclude) if source.exclude else _nothing)


def _nothing(path: str) -> bool:
    return False
