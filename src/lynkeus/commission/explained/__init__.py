"""What a model looks at, over all samples of some data: a table, and a page that needs no network."""
