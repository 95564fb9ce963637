"""Tenants: what they are called, whose events are theirs, who issues their tokens."""
