"""Data and parameters that break one rule each; the tests in process and the soak through DVC use the same."""
