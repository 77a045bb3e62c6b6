"""Super-resolution: fine images from coarse ones, with what is not known of them drawn."""
