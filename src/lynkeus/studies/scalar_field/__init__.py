"""A complex scalar field at finite density: phases, numbers at potentials that were not shown, and generators."""
