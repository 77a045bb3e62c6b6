"""Files of hits of a time projection chamber."""
