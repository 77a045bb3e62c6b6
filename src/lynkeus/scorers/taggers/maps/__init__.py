"""Taggers of maps: which equation of state a spectrum went through, which mixture a density is of."""
