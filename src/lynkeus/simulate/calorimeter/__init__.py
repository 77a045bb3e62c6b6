"""Showers in a calorimeter, from parametrised profiles."""
