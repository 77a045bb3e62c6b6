"""Clouds: samples of any number of particles, such as jets, from Parquet, ROOT, Arrow, HDF5 and NumPy files."""
