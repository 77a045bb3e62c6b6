"""Networks: one architecture per file, tensors in, tensors out; no data, no training."""
