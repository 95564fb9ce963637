"""Event formats of identity providers: each a small decoder from its own JSON object to our words."""
