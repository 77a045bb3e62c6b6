"""Study: what a logbook tells: first reports, what happened before, what is unusual, what an entry is about."""
