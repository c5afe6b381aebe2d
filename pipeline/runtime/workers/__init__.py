"""Who does the units: this process, a local Dask cluster, or one that is already there."""
