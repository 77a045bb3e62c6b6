"""What is shown of a sample that was flagged."""
