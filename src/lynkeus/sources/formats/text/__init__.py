"""CSV as it is written: separators, decimal commas, comments, units, encodings, words for missing values."""
