"""Generators: what makes more samples like those it was shown, at conditions that are asked for."""
