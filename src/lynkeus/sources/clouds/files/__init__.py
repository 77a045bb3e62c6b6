"""Files of clouds: what each format holds by name, and its columns block by block."""
