"""Points of a store: kept by month, in short by minute, and pruned."""
