"""Simulators: one file each, all of them Sources that know the truth."""
