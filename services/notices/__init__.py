"""Notices: relying parties with a webhook are told of their tenant's keys, by Security Event Tokens (RFC 8417) that are pushed (RFC 8935)."""
