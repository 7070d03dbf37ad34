"""From a second of media to the features that an MS-VAE encodes."""
