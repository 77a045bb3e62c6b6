"""The plan of a search, as one TOML file says it."""
