"""What patterns of paths match."""

import re
from pathlib import PurePosixPath

import hypothesis.strategies as st
import pytest
from hypothesis import assume, given, settings

from pixsieve import ConfigError
from pixsieve.sources.patterns import matcher, suffix

PIECES = st.sampled_from(["**/", "**", "*", "?", "a", "b", ".", "/", "-", "\n", "\udcff", "ab.png"])


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=5), st.lists(st.sampled_from("ab.-/\n[]{}!\udcff"), min_size=1, max_size=8))
def test_plain_patterns_match_what_they_say(pieces: list[str], name: list[str]):
    """Against a translation of its own, for patterns without sets and braces whose ** is a whole part of the path."""
    pattern, path = "".join(pieces), "".join(name)
    parts = pattern.split("/")
    if any("**" in part and part != "**" for part in parts) or "" in parts or "" in path.split("/"):
        return
    words = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    found = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    wanted = re.compile("".join(words.get(word, re.escape(word)) for word in found), re.DOTALL)
    if any(part.startswith(".") for part in [*parts, *path.split("/")]):  # which is no row, whatever the pattern
        return
    assert matcher(pattern)(path) == bool(wanted.fullmatch(path))


@pytest.mark.parametrize(
    ("patterns", "yes", "no"),
    [
        ("*.jpg", "x.jpg x.JPG X.Jpg", "x.jpeg x.png d/x.jpg jpg"),
        ("*.JPG", "x.jpg x.JPG", "x.png"),
        ("**/*.{jpg,PNG}", "a.JPG d/b.png d/b.PNG", "a.gif"),
        ("{a/*.JPG,b/*.png}", "a/x.jpg b/x.PNG", "b/x.jpg B/x.png"),
        ("**/IMG_*.jpg", "d/IMG_1.JPG", "d/img_1.jpg"),
        ("Train/**", "Train/a.JPG", "train/a.JPG"),
        ("**/[a-f]*", "a.JPG", "A.jpg"),
        ("*.[jt]*", "a.JPG a.tif", "a.png"),
        (["**/*", "!**/*.tmp"], "a.jpg", "a.tmp d/a.TMP"),
        (["a/**", "!**/*.tmp"], "a/b.jpg", "b.jpg a/b.TMP"),
        ("!**/*.tmp", "a.jpg d/b", "a.TMP"),
        ("\\*.JPG", "*.jpg", "a.jpg"),
    ],
)
def test_an_extension_stands_for_itself_in_any_case(patterns: str | list[str], yes: str, no: str):
    matches = matcher(patterns)
    assert [name for name in yes.split() if not matches(name)] == []
    assert [name for name in no.split() if matches(name)] == []


NAMES = st.text("abAB.", min_size=1, max_size=6).filter(lambda name: not name.startswith("."))


@given(NAMES, NAMES, st.booleans())
def test_only_the_extension_is_of_any_case(name: str, other: str, negative: bool):
    """Of a pattern without any sign."""
    assume(not (name.endswith(".") or other.endswith(".")))

    def known(path: str) -> tuple[str, str]:
        own = PurePosixPath(path).suffix
        return path[: len(path) - len(own)], own.lower()

    assert matcher(["**", f"!{name}"] if negative else name)(other) == (negative != (known(name) == known(other)))


def test_suffixes():
    for path in ("a", "d.x/a", "a.", "d/.hidden", "."):
        assert suffix(path) == ""
    assert suffix("d.x/a.tar.GZ") == ".gz" and suffix("a.\udcff") == ".\udcff"


def test_braces_that_stand_for_too_many_patterns_are_an_error():
    with pytest.raises(ConfigError, match="braces"):
        matcher("{1..5000}.jpg")
    with pytest.raises(ConfigError, match="braces"):
        matcher("{a,b}" * 11)
