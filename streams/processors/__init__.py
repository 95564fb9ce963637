"""Processors: what follows a stream and has effects, whoever runs it."""
