"""The query language: Lucene syntax over the declared fields, parsed into one tree that every search index translates."""
