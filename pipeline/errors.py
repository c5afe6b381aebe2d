"""What goes wrong through no fault of the program. Each message says what to change."""


class PixsieveError(Exception):
    """Any of these. Trying again without a change brings the same."""

    exit_code = 2  # of the command line: nothing was done, or not all, until something outside the program changes


class ConfigError(PixsieveError, ValueError):
    """Wrong use or configuration: a key, a value, an option, or one that does not fit the run folder or the machine."""


class FolderBusyError(PixsieveError):
    """Another live process works on the run folder."""


class FolderDamagedError(PixsieveError):
    """No run folder, or one that lacks what every run has: its configuration, its manifest."""


class SourceError(PixsieveError):
    """The source, or the metadata beside it, is not there, cannot be read, or does not hold what it must."""


class ClusterError(PixsieveError):
    """The Dask cluster cannot be reached, or has no workers."""
