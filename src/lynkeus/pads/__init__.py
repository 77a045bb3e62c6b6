"""Pads that were judged: tables of gains, their change between periods, and decisions by krypton and by collisions."""
