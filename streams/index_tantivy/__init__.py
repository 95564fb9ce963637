"""The embedded search index: tantivy, one directory per tenant."""
