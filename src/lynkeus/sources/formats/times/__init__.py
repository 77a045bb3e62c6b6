"""Times of rows: which columns hold them, in which unit, and whether that can be."""
