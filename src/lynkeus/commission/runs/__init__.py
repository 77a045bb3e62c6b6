"""Proving a model of runs."""
