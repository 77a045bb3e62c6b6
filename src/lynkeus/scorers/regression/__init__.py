"""Regression: numbers that are known of samples, estimated with a spread that holds."""
