"""From bytes to seconds: any sound, picture or video, cut into segments of one second."""
