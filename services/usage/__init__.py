"""The use cases of usage: what each key has signed, written down in its tenant's own log, and summed up from there."""
