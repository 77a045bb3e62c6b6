"""Adversarial networks: critics, generators and encoders that play against each other."""
