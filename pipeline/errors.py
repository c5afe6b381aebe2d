"""What goes wrong through no fault of the program."""


class ConfigError(ValueError):
    """Wrong use or configuration: the message says what to change. The command line ends with 2."""
