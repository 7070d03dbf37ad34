"""A server by which an assistant searches footage (Model Context Protocol): a client of a running service."""
