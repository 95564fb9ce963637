"""The HTTP API: the only place that knows HTTP and FastAPI."""
