"""How three canaries end, whatever the ledger is kept in: for each, the bundles, and what must be seen."""

from collections.abc import Callable
from pathlib import Path

from live.canary import Played, play
from live.traffic import Flight

Made = dict[str, Path]
Story = Callable[[Path, Made, list[Flight], str], None]


def better(folder: Path, made: Made, rows: list[Flight], ledger: str) -> None:
    """Trained on two more months it is promoted step by step, though the judge is killed and started anew."""
    played = play(folder, made["champion"], made["challenger"], rows, ledger, interruptions=2)
    assert played.outcome == "promote", told(played)
    assert set(played.truths) == {200}, told(played)


def leak(folder: Path, made: Made, rows: list[Flight], ledger: str) -> None:
    """Every request is answered, quickly and without an error; only the truth shows that it knew the future."""
    played = play(folder, made["champion"], made["leak"], rows, ledger)
    assert played.outcome == "abort", told(played)
    assert (played.verdict["cause"], played.verdict["blame"]) == ("verdict", "truth"), told(played)


def twin(folder: Path, made: Made, rows: list[Flight], ledger: str) -> None:
    """The same model again: there is nothing to abort it for, and it is promoted."""
    played = play(folder, made["champion"], made["champion"], rows, ledger)
    assert played.outcome == "promote", told(played)


def told(played: Played) -> str:
    """What is said when the end is another one."""
    return f"{played.outcome} after {played.requests} requests in {played.seconds:.0f} s: {played.verdict}"
