"""A client for the Echolens service. It needs neither torch nor a library."""

from echolens.client import Client
from echolens.connection import Problem, Unreachable

__all__ = ["Client", "Problem", "Unreachable"]
