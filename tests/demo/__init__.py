"""A whole canary on this machine."""
