"""What does the work of a search: the host, or a GPU; `dispatch` picks by the type of the array."""
