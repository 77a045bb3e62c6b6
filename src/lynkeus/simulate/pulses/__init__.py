"""Pulses of a photosensor."""
