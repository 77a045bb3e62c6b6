"""European XFEL beam orbits: which monitor is wrong, did the orbit move."""
