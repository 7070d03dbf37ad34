"""The MS-VAE itself, its checkpoint, and the encoder that serves."""
