"""Kinds of anomalies: point, contextual, group; in the plane, and in images of digits."""
