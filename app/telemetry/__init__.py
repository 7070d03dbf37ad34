"""Logs and metrics of the service, and the request that they belong to."""
