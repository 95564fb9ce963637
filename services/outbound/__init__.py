"""Calls to addresses that tenants name: webhooks, and what is imported from. Only to where an operator lets them."""
