"""Where rows come from: a kind of source lists its rows and reads one of them; it knows nothing of runs."""
