"""One interface, two ends: the in-process API server, or HTTP to any Kubernetes API that has our kinds."""
