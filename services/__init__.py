"""The edge and the use cases: settings, access, API, CLI, scheduler and bootstrap."""
