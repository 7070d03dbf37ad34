"""Work that outlasts its request."""
