"""Sources around a source."""
