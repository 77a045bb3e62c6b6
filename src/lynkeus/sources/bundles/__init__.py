"""Memory-mapped bundles."""
