"""Measurements: each a program that prints what it found."""
