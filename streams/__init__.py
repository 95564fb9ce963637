"""Events: sources, router, segments, tenant log, processors, query language and search indexes."""
