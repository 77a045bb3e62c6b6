"""Searches: backgrounds normalised to data, a significance, limits, and the record of what was looked at."""
