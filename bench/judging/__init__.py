"""What bench/judge.py plays, and how it is judged."""
