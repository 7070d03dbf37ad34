"""HTTP, command line, page and jobs: the only place that knows FastAPI, pydantic or a terminal."""
