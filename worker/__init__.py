"""Consumes requests, runs one shared encoder with three heads, and publishes what it found."""
