"""The same events by Pythia 8 at leading order, seen by the parametric detector of jets, clustered by FastJet."""
