"""The desk of an operator: failed tasks, what models advise about each, one click to decide."""
