"""Proving a model by planted faults."""
