"""Bytes of an image file to pixels, statistics and a status. Nothing here reads or writes a file."""
