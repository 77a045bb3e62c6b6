"""Nuclear matter that expands through a first-order transition, with a spinodal region or without."""
