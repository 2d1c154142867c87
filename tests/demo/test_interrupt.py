"""A demo that is interrupted leaves nothing running, and can be played again."""

from typing import Any


def test_an_interrupted_demo_leaves_nothing_and_plays_again(interrupted: list[list[str]], finished: Any) -> None:
    """Ctrl-C and SIGTERM end a stage of `dvc repro` too; the next demo, in the same folder, reaches its end."""
    assert interrupted == []
    assert "dvc repro" in finished.story.read_text()
