"""How a text for readers is written: sub-scores with their marks in the text, and what would help most."""
