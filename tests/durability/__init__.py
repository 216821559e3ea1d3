"""Kills and full disks: what was acknowledged is there."""
