"""The workflows of .github/workflows, run without GitHub."""
