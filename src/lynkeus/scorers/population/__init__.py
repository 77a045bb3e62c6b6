"""Runs of events: which population changed."""
