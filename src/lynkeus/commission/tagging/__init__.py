"""Commissioning of taggers by jets whose class is known: ROC curves, working points, mass, robustness, a report."""
