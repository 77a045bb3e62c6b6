"""A search for gluinos with one lepton: factors of the backgrounds by the classes of a network, at ten mass points."""
