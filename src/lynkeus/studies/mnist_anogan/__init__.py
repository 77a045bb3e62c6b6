"""f-AnoGAN on one digit: scores by epoch, and how GAN, VAE and AE reconstruct."""
