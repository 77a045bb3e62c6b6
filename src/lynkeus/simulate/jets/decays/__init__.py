"""Decays of hadrons and of taus, by a table of channels and phase space."""
