"""A scorer on a machine that is steered: moves put into a stretch of data, and what is found around them."""
