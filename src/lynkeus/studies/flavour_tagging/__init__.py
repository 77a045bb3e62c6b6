"""Jets of b quarks against light and c jets: DeepJet and DeepCSV, beside cuts on tracks and vertices."""
