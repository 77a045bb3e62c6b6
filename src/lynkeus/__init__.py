"""Lynkeus: learns what an instrument looks like when all is well, says when it does not, how rare, and where."""

__version__ = "0.1.0"
