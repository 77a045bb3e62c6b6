"""Sizes of the tables of a FluxField; larger integers count as these."""

MOST_K, MOST_L = 8, 6  # of a link
SITE_K, SITE_L = 24, 14  # of the four links of a site together
