"""Networks of hadronic taus: a small graph, and images of cells around the tau axis that it is compared with."""
