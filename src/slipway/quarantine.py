"""What must not be released again. Pure decisions over records."""
