"""Pages that read the store, and one form that appends a verdict."""
