"""Jets of whole collisions by Pythia 8, found by anti-kT and labelled by matching; needs the extra `jets`."""
