"""What was live where, when, and why it left: read from the release records alone. Pure."""
