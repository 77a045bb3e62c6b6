"""pad_spectrum: which pads are good, what is wrong with the others, and their gains."""
