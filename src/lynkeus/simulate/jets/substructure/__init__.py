"""Soft-drop mass and N-subjettiness of many jets at once."""
