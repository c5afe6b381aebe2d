"""The machinery of a run: units, receipts, workers, progress. It knows no stage by name."""
