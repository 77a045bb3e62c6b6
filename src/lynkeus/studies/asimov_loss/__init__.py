"""Is a network that learns for discovery better than one that learns classes and is cut well?"""
