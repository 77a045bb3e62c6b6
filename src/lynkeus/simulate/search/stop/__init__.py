"""A toy search for a pair of stops beside top pairs."""
