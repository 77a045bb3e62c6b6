"""The advisor: what to do about a failed task, how sure that is, and when it may be done without asking."""
