"""Measurements; each module returns the JSON object that interfaces promise for its command."""
