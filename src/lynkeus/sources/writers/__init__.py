"""A Source written to a file or a folder, so that it is read again as it was."""
