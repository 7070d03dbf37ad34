"""Read any sound, picture or video, and cut it into segments of one second."""
