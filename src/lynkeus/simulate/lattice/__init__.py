"""A complex scalar field at finite density on a lattice, in its dual representation, sampled by worms."""
