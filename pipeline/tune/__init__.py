"""`pixsieve tune`: what the similarity of DBSCAN does to a run, at all similarities, and which one to take."""
