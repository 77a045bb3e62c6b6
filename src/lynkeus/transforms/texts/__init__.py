"""Texts as numbers: hashed words and groups of letters, how alike texts are, and what belongs to one event."""
