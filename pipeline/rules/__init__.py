"""Rules: pure functions that turn numbers of rows into scores and levels. Nothing here reads or writes."""
