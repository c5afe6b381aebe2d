"""What a row is compared by, one module a measure. A descriptor is a value that says all of itself: its measure (names,
metric, threshold, how pairs are verified), how images become rows, and how rows are turned. All others ask it.

To add one: a module with a DESCRIPTOR, and its line in BUILT_IN.
"""

import difflib

from pixsieve.config.section import View
from pixsieve.config.sections import Embed
from pixsieve.descriptors import dct, network
from pixsieve.descriptors.descriptor import Descriptor
from pixsieve.errors import ConfigError

BUILT_IN: dict[str, Descriptor] = {
    "dct": dct.DESCRIPTOR,
}


def by(embed: Embed, view: View) -> Descriptor:
    """The configured descriptor of a view. Raises ConfigError."""
    return network.DESCRIPTOR if view == "model" and embed.model is not None else copies(embed)


def copies(embed: Embed) -> Descriptor:
    """What copies are found by. Raises ConfigError."""
    if embed.copies == "model":
        if embed.model is None:
            raise ConfigError("embed.copies is model, but embed.model is not given")
        return network.DESCRIPTOR
    if embed.copies not in BUILT_IN:
        near = difflib.get_close_matches(embed.copies, [*BUILT_IN, "model"], n=1, cutoff=0)[0]
        raise ConfigError(f"embed.copies: there is no {embed.copies!r}; nearest known: {near}")
    return BUILT_IN[embed.copies]
