"""Jets at a hadron collider: a fast shower of our own or Pythia, decays with lifetimes, a parametric detector."""
