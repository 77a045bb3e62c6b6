"""Runs of a xenon detector: which scorer finds which change of a population, in how few events, and names it."""
