"""Keys at work: each tenant's ring, its rotation, what it publishes and signs."""
