"""Patterns of paths, as in a shell, with ** for any number of folders, braces, sets and exclusion: wcmatch's
documentation has it all. Case counts, but not in the extension."""

import re
from collections.abc import Callable, Sequence

import bracex
from wcmatch import glob
from wcmatch._wcparse import PatternLimitException

from pixsieve.errors import ConfigError

FLAGS = glob.GLOBSTAR | glob.BRACE | glob.EXTGLOB | glob.NEGATE | glob.DOTGLOB | glob.FORCEUNIX


def listed(patterns: str | Sequence[str]) -> list[str]:
    return [patterns] if isinstance(patterns, str) else list(patterns)


def matcher(patterns: str | Sequence[str]) -> Callable[[str], bool]:
    """Whether a relative path matches one of the patterns that do not begin with `!`, and none of those that do. Only
    such: all else matches. What stands behind the last dot of a pattern stands for itself in any case."""
    exact = _compiled(listed(patterns), FLAGS | glob.NEGATEALL)
    # A pattern also matches if it does so with both extensions in lower case.
    lower = _compiled([one for one in map(_lowered, _expanded(listed(patterns))) if one is not None], FLAGS)

    def wanted(path: str) -> bool:
        small = _small(path)
        include, exclude = (_any(a, path) or _any(b, small) for a, b in zip(exact, lower, strict=True))
        return include and not exclude

    return wanted


def within(patterns: str | Sequence[str]) -> Callable[[str], bool]:
    """Whether something in a folder (its relative path) may match: never no where the answer is yes."""
    include = [one for one in _expanded(listed(patterns)) if not one.startswith("!") or one.startswith("!(")]
    parts = [one.split("/") for one in include]

    def may(folder: str) -> bool:
        names = folder.split("/")
        return not parts or any(_leads(names, one) for one in parts)

    return may


def _leads(names: list[str], pattern: list[str]) -> bool:
    """Whether a path that begins with the names may match the parts of a pattern."""
    if any(sign in part for part in pattern for sign in "(["):
        return True  # a slash in there parts nothing
    for name, part in zip(names, pattern[:-1], strict=False):
        if part == "**":
            return True
        if not glob.globmatch(name, part, flags=glob.DOTGLOB | glob.FORCEUNIX):
            return False
    return len(names) < len(pattern) or pattern[-1] == "**"


def suffix(path: str) -> str:
    """Of the name of a file, in lower case; empty for none. A dot at either end of the name begins none."""
    name = path[path.rfind("/") + 1 :]
    dot = name.rfind(".")
    return name[dot:].lower() if 0 < dot < len(name) - 1 else ""


Compiled = tuple[list[re.Pattern[str]], list[re.Pattern[str]]]


def _compiled(patterns: list[str], flags: int) -> Compiled:
    """Those that include and those that exclude. ConfigError for braces that stand for too many."""
    try:
        include, exclude = glob.translate(patterns, flags=flags)
    except PatternLimitException:
        raise ConfigError(
            f"source.pattern: the braces of {', '.join(patterns)} stand for more than 1,000 patterns"
        ) from None
    return [re.compile(one) for one in include], [re.compile(one) for one in exclude]


def _any(patterns: list[re.Pattern[str]], path: str) -> bool:
    return any(one.fullmatch(path) for one in patterns)


def _expanded(patterns: list[str]) -> list[str]:
    """Without braces, as each of these may hold an extension."""
    return [one for pattern in patterns for one in bracex.iexpand(pattern, keep_escapes=True)]


def _lowered(pattern: str) -> str | None:
    """With its extension in lower case; None if it has none."""
    dot = pattern.rfind(".")
    return None if dot < 0 or "/" in pattern[dot:] else pattern[:dot] + pattern[dot:].lower()


def _small(path: str) -> str:
    own = suffix(path)
    return path[: len(path) - len(own)] + own
