"""Transforms: arrays in, arrays out; fitted state explicit."""
