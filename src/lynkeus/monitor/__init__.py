"""The watch loop, the incident rule and the append-only store that it shares with the web pages."""
