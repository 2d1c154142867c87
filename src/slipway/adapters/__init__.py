"""One outside system each. Adapters do not know each other."""
