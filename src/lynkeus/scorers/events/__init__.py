"""Scorers of runs of events."""
