"""Does Echolens decode as FFmpeg does? Hundreds of combinations of containers, codecs, clocks and damage."""
