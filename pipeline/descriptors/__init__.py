"""What a row is compared by, one module a measure. A descriptor is a value that says all of itself: its measure (names,
metric, threshold, how pairs are verified), how images become rows, and how rows are turned. All others ask it.

To add one: a module with a DESCRIPTOR, and its line in BUILT_IN.
"""

import difflib

from pixsieve.config.sections import Embed
from pixsieve.descriptors import dct, network
from pixsieve.descriptors.descriptor import Descriptor
from pixsieve.errors import ConfigError

BUILT_IN: dict[str, Descriptor] = {
    "dct": dct.DESCRIPTOR,
}


def of_images(embed: Embed) -> Descriptor:
    """The configured descriptor. Raises ConfigError."""
    if embed.model is not None:
        return network.DESCRIPTOR
    if embed.descriptor not in BUILT_IN:
        near = difflib.get_close_matches(embed.descriptor, BUILT_IN, n=1, cutoff=0)[0]
        raise ConfigError(f"embed.descriptor: there is no {embed.descriptor!r}; nearest known: {near}")
    return BUILT_IN[embed.descriptor]
