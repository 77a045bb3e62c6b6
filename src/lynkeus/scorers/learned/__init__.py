"""Scorers that train a network."""
