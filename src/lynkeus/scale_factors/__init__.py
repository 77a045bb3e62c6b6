"""How much a tagger's efficiency in data differs from simulation: measured by template fits, written, applied."""
