"""Folders of runs."""
