"""Faults that are planted into good data."""
