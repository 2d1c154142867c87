"""How three canaries end, whatever the ledger is kept in: for each, the bundles, and what must be seen."""

from collections.abc import Callable
from pathlib import Path

from live.canary import Played, play
from slipway.adapters.traffic import Flight

Made = dict[str, Path]
Story = Callable[[Path, Made, list[Flight], str], None]


def better(folder: Path, made: Made, rows: list[Flight], ledger: str) -> None:
    """Trained on two months more it is promoted step by step, though the judge is killed and started anew."""
    played = play(folder, made["champion"], made["challenger"], rows, ledger, interruptions=2)
    assert (played.result.outcome, played.result.cause) == ("promoted", "verdict"), told(played)
    assert played.killed == 2
    assert played.weights == [0.0, 0.1, 0.3, 0.6, 1.0]
    assert played.ticks[-1].truths > 0.8 * sum(arm.requests for arm in played.result.traffic.values())
    assert (played.read("seen.json")["phase"], played.read("trace.json")["verdict"]["verdict"]) == (
        "healthy",
        "promote",
    )


def leak(folder: Path, made: Made, rows: list[Flight], ledger: str) -> None:
    """Every request is answered, quickly and without an error; only the truth shows that it knew the future."""
    played = play(folder, made["champion"], made["leak"], rows, ledger)
    assert (played.result.outcome, played.result.cause) == ("aborted", "verdict"), told(played)
    assert played.result.evidence is not None
    assert played.result.evidence.blame == "truth", told(played)
    assert played.result.traffic["canary"].errors == 0
    assert (played.read("seen.json")["phase"], played.ticks[-1].weight) == ("aborted", 0.0)


def twin(folder: Path, made: Made, rows: list[Flight], ledger: str) -> None:
    """The same model again: there is nothing to abort it for, and it is promoted."""
    played = play(folder, made["champion"], made["champion"], rows, ledger)
    assert played.result.outcome == "promoted", told(played)


def told(played: Played) -> str:
    """What is said when the end is another one."""
    return f"{played.result}"
