"""Studies: several scorers on one question, and the page of results."""
