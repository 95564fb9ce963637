"""Notices: relying parties are told of their tenant's keys, by Security Event Tokens (RFC 8417) pushed to webhooks (RFC 8935)."""
