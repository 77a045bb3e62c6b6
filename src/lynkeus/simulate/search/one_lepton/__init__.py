"""Search for gluinos in events with one lepton: T1tttt, ttbar, W+jets, QCD; a fast generator, and Pythia."""
