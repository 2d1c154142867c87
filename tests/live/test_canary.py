"""Whole canaries: real bundles, real requests, real truth, and the judge's word over HTTP; the ledger is on SQLite."""

from pathlib import Path

from live.canary import Played, play
from live.traffic import Flight


def told(played: Played) -> str:
    """What is said when the end is another one."""
    return f"{played.outcome} after {played.requests} requests in {played.seconds:.0f} s: {played.verdict}"


def test_a_better_model_is_promoted(made: dict[str, Path], june: list[Flight], tmp_path: Path) -> None:
    """Trained on two more months it is promoted step by step, though the judge is killed and started anew."""
    ledger = f"sqlite:///{tmp_path / 'ledger.db'}"
    played = play(tmp_path / "play", made["champion"], made["challenger"], june, ledger, interruptions=2)
    assert played.outcome == "promote", told(played)
    assert set(played.truths) == {200}, told(played)


def test_a_leaking_model_is_aborted_on_truth(made: dict[str, Path], june: list[Flight], tmp_path: Path) -> None:
    """Every request is answered, quickly and without an error; only the truth shows that it knew the future."""
    ledger = f"sqlite:///{tmp_path / 'ledger.db'}"
    played = play(tmp_path / "play", made["champion"], made["leak"], june, ledger)
    assert played.outcome == "abort", told(played)
    assert played.verdict["cause"] == "verdict"
    assert played.verdict["blame"] == "truth"


def test_a_twin_is_promoted(made: dict[str, Path], june: list[Flight], tmp_path: Path) -> None:
    """The same model again: there is nothing to abort it for."""
    ledger = f"sqlite:///{tmp_path / 'ledger.db'}"
    played = play(tmp_path / "play", made["champion"], made["champion"], june, ledger)
    assert played.outcome == "promote", told(played)
