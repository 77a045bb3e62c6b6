"""Failed tasks as JSON: counts of exit codes by site, and what was decided."""
