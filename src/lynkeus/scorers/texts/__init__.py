"""Texts sorted by several questions at once, with probabilities and the words that speak for each answer."""
