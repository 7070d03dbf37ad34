"""The study of voices and faces, on VoxCeleb or on a generated stand-in of its layout."""
