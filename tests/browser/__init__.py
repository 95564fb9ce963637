"""The console in a real browser. A package, so that the browser has a scope to end with; see `conftest.py`."""
