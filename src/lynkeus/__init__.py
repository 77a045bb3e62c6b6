"""Lynkeus: learns what an instrument looks like when all is well, says when it does not, how rare that is, and where."""

__version__ = "0.1.0"
