"""Orbits of a beam."""
