"""What becomes of a release: promoted, reverted, superseded, rolled back. Pure decisions over records."""
