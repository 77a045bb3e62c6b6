"""Studies: one thin folder per application."""
