"""`slipway gate --stable`: the model in the recorded stable's image takes the champion's place."""

import shutil
from typing import Any

from tests.gate.test_command import decision


def test_the_stable_is_the_champion(champion: Any, slipway: Any) -> None:
    """Its own model against itself, without asking the registry; without its image there is no answer."""
    nowhere = ("--tracking-uri", "http://127.0.0.1:9")
    code, said = slipway(champion, "gate", "--stable", *nowhere)
    assert code == 0, said
    found = decision(champion)
    assert found.champion == found.model_digest
    assert "1.0.0" in next(one.detail for one in found.checks if one.name == "champion")

    shutil.rmtree(champion.root / "build/images")
    code, said = slipway(champion, "gate", "--stable", *nowhere)
    assert (code, "slipway pull" in said) == (2, True)


def test_a_changed_image_is_not_compared_with(champion: Any, slipway: Any) -> None:
    """Another image under the stable's version is no champion: rejected."""
    champion.params(train__hist_gradient_boosting__max_iter=5)
    for words in (("dvc", "repro", "--quiet"), ("git", "commit", "--quiet", "--all", "--message", "Fewer trees")):
        assert champion.command(*words).returncode == 0
    assert champion.command("slipway", "package", "--version", "1.0.0").returncode == 0
    code, said = slipway(champion, "gate", "--stable")
    assert code == 1, said
    assert "is not the one that was signed of 1.0.0" in said


def test_before_the_first_release_the_floors_decide(first: Any, slipway: Any) -> None:
    """Git says that nothing was promoted, so nobody needs to."""
    code, said = slipway(first, "gate", "--stable")
    assert code == 0, said
    assert decision(first).champion is None


def test_two_words_about_the_champion_are_no_answer(first: Any, slipway: Any) -> None:
    """There is none, and this is it."""
    code, said = slipway(first, "gate", "--first", "--stable")
    assert (code, "Give one of the two" in said) == (2, True)
