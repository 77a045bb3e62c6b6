"""Taylor coefficients: which inputs, and which pairs of them, a network uses (Wunsch et al. 2018, arXiv:1803.08782)."""
