"""Relativistic hydrodynamics of heavy-ion collisions: boost-invariant, two transverse dimensions, without viscosity."""
