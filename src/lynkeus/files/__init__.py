"""What is written to and read from disk by more than one floor."""
