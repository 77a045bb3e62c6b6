"""Taggers: which of several classes a jet, or another cloud of particles, is one of."""
