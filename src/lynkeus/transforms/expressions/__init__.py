"""Expressions over columns, as people write them for selections and new variables: `(jet_pt > 500) & (abs(eta) < 2)`.

Text is parsed into a tree of which every node is on a list, and walked by an interpreter of this package; nothing is
handed to Python. Columns are NumPy arrays or awkward arrays of lists.
"""

from lynkeus.transforms.expressions.evaluate import evaluate
from lynkeus.transforms.expressions.parse import Expression, parse

__all__ = ["Expression", "evaluate", "parse"]
