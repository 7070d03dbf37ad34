"""The service over HTTP: throughput, latency, overload and long runs."""
