"""The run folder, read and written: one module for each kind of file in it."""
