"""Scorers of runs of histograms."""
