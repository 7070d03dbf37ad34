"""What the service's processes are forked with: all that decoding, encoding and searching import, imported once."""

from __future__ import annotations

from PIL import Image

import app.queries.engine  # noqa: F401
import model.frontends.registry  # noqa: F401

FORKED = __name__

Image.init()  # finds the formats of pictures: 30 ms that each process would spend at its first file
