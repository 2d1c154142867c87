"""The recipe: what makes a model besides the data. Its digest is what an aborted release quarantines."""

from collections.abc import Mapping

from slipway import digests

FILES = ("params.yaml", "dvc.yaml")
MODULES = ("features.py", "model.py", "schema.py", "split.py")
PATTERNS = (*FILES, *(f"src/slipway/{name}" for name in MODULES), "src/slipway/stages/*.py")
"""Globs from the repository's root."""


def digest(files: Mapping[str, bytes]) -> str:
    """Digest of the recipe's files, by path from the repository's root."""
    return digests.of_tree({path: (content, False) for path, content in files.items()})
