"""Images of a surface."""
