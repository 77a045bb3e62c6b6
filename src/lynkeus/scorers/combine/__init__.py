"""Scorers that are made of other scorers."""
