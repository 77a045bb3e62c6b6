"""Watches of folders that grow: of runs, and of images."""
