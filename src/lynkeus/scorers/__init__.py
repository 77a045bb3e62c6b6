"""Scorers: a folder for each family, one method in each file; no family imports another."""
