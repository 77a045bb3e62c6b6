"""Parts of the search classifier: its network, its losses, and which class is the signal."""
