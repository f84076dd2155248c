"""Measurements against peers, in one run. Never collected by pytest."""
