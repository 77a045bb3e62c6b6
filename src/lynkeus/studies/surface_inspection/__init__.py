"""Which image of a surface is wrong, and where: one scorer, its parts, generators and autoencoders, and controls."""
