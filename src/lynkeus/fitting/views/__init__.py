"""What a model does to data before its scorer sees them."""
