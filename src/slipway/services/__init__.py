"""What keeps running."""
