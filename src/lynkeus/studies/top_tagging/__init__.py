"""Tops among jets of quarks and gluons: what does a network of particles know beyond what one knows to compute?"""
