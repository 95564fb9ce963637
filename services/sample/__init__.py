"""Six sample tenants with their recorded Keycloak events, so that `make run` has something to show."""
