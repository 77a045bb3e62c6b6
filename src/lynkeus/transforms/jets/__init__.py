"""Jets: four-vectors of packed particles, clustering of all jets at once, substructure observables."""
