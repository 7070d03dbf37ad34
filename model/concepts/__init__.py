"""What both modalities have a name for: concepts that join classes of sounds and of pictures, and their words."""
