"""The command line: one verb per module of `commands`, imported when it is called."""
