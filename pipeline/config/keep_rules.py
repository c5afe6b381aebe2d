"""The words of duplicates.keep, which rules/keep.py ranks rows by.

original            those without a flaw first: not damaged, enlarged or converted (rules/originals.py)
resolution          most pixels first
bytes               largest file first
newest, oldest      by the time of the file
name                those that are not called a copy first: copy, (1), kopie
key                 least key first; always decides last
largest:COLUMN      of the metadata: numbers, dates and text in their own order; null last
smallest:COLUMN
"""

from collections.abc import Iterable

FACTS = ("original", "resolution", "bytes", "newest", "oldest", "name", "key")
TIMES = ("newest", "oldest")
ORDERS = {"largest": "descending", "smallest": "ascending"}  # of a column


def rule(text: str) -> str:
    """The rule itself. Raises ValueError if it is none."""
    order, _, column = text.partition(":")
    if text in FACTS or (order in ORDERS and column):
        return text
    raise ValueError(f"unknown rule; known: {', '.join(FACTS)}, {', '.join(f'{order}:COLUMN' for order in ORDERS)}")


def columns(rules: Iterable[str]) -> list[str]:
    """The columns of the metadata that the rules name, each once."""
    return list(dict.fromkeys(text.partition(":")[2] for text in rules if text not in FACTS))
