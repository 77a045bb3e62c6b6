"""Pages of pads: the plane of a detector, spectra, clusters of problematic pads, and an eye-scan."""
