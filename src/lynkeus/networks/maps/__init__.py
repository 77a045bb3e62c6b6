"""Networks of maps: images of something that is no light, whose edges may be one another's neighbours."""
