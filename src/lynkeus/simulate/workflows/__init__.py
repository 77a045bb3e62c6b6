"""Failed tasks of a grid of computing sites, with what an operator did about each."""
