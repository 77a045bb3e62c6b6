"""Channels that see one beam."""
