"""Drift and findings: what differs from the Foundation, and what is a risk. Pure. Empty until part 3."""
