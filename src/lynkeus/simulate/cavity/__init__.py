"""Pulses of superconducting cavities."""
