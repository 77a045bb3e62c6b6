"""Simulated inspections of cavities: does the surface say something of the field, and is the quench in the list?"""
