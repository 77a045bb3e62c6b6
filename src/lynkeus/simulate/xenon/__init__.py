"""Runs of a xenon TPC."""
