"""A parametric detector: tracks, calorimeter towers, identification of leptons, secondary vertices."""
