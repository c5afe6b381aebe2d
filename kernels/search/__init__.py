"""The walk over all pairs that every all-pairs answer is made of, in parts that an engine searches."""
