"""Events with collections that point at each other, such as NanoAOD: one sample for each jet of each event."""
