"""Folders and bundles of images."""
