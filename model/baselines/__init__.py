"""The systems that MS-VAE is compared with: each is trained for real, on the same features."""
