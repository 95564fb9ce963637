"""What operators see of all tenants at once: bounded, whatever there is, and kept for some seconds, however many look."""
