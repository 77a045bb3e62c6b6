"""Spectra of pads: their template, gains, what speaks for a fault, neighbours."""
