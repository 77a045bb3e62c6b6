"""DeepCSV, DeepJet and DeepAK8: networks that read the leading particles and vertices of a jet in order."""
