"""What the other hits of an event say of a hit of a time projection chamber."""
