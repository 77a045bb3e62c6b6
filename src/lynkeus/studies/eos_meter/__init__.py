"""The equation-of-state-meter, on collisions that differ from those it has learned from."""
