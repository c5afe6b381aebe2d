"""Bytes of an image file to pixels, statistics and a status. Nothing here knows of runs."""
