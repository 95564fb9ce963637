"""Keys: algorithms, key rings, rotation policy, JWKS and key stores."""
