"""Scorers without a network."""
