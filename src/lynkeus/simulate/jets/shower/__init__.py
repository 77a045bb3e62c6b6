"""A fast generator of jets: angular-ordered branchings, hadrons along the colour flow, decays of W, Z, H and top."""
