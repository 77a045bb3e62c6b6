"""RF pulses of a superconducting cavity."""
