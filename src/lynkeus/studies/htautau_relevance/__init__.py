"""What does a network of several classes look at in events with two taus?"""
