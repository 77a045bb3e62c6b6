"""Networks of jets: particle clouds of any length, one after the other in memory, nothing padded."""
