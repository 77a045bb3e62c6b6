"""Study: what to do about failed tasks, how often that is right, and what may be done without asking."""
