"""Names of tensor shapes. b: samples, c: channels or columns, t: time, h: rows, w: columns of pixels, z: latent."""

from torch import Tensor

Shape = tuple[int, ...]  # of one sample: (c,) table, (c, t) waveform, (c, h, w) image
Samples = Tensor  # (b, *Shape), in sigmas of each channel
Codes = Tensor  # (b, z)
PerSample = Tensor  # (b,)
