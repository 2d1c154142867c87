"""What may happen to a running service: processes that are killed, a disk that is full."""
