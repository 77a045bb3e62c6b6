"""Failed tasks, what models advise about each, and what was decided: appended to the store like everything else."""
