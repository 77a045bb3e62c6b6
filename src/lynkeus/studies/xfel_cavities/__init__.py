"""Pulses of RF cavities, simulated: scorers without labels, with a few, with many, and with the cavity's equation."""
