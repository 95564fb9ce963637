"""Events: taking them in, and answering questions about them."""
