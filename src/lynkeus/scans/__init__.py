"""Scores of images of a cavity: joined, ranked and correlated."""
