"""Boards and alerts for the tools that operators and tenants have already, made from the declared metrics and fields."""
