"""Backup and restore of everything that is neither in Kafka, nor in OpenSearch, nor in Vault."""
