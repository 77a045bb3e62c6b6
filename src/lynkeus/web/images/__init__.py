"""Pages of images."""
