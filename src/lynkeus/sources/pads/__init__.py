"""Charge spectra of pads: npz, HDF5 and Parquet of counts, ROOT histograms, and clusters that are accumulated."""
