"""Events of a time projection chamber: helices, drift, pads, noise, clusters, and tracks that are found in them."""
