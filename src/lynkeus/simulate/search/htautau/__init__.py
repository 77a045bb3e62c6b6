"""Pairs of taus: Higgs bosons by two ways of production, and what looks like them."""
