"""Taggers of hadronic taus that name the decay mode, too."""
