"""Hadronic taus by a small graph network and by images of cells, beside boosted observables and cuts."""
