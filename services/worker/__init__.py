"""`tenantry worker`: a Faust application around the processors, of which any number may run."""
