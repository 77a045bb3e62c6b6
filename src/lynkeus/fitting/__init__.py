"""From data to a fitted model, and from a model to scores."""
