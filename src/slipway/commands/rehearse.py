"""`slipway rehearse`: a canary on this machine, from the manifests that Argo CD applies to the judge's verdict."""

import re
import tempfile
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from slipway import manifests, releases
from slipway.adapters import files, layout
from slipway.adapters.traffic import Flight, flights
from slipway.canary.units import duration
from slipway.commands import (
    BUILD,
    METRICS,
    Json,
    Root,
    deciding,
    emit,
    rehearse_engine,
    rehearse_report,
    rehearse_view,
    settling,
    shelf,
)
from slipway.commands.options import Environment
from slipway.commands.package import BENTO, BUNDLE
from slipway.commands.rehearse_play import Play, Side
from slipway.errors import Broken, Rejected
from slipway.manifests import tree
from slipway.manifests.environment import Environment as Deployed
from slipway.records import Bundle, Metrics, Package
from slipway.rollout.records import Rehearsed

NOTIFY_SECONDS = 2.0
REPLAY = Path("replay")
WINDOW = "YYYY-MM-DD; by default the folder's {} day."


def _rate(text: str) -> float | None:
    """Read --rate; None is as fast as it goes."""
    if text == "max":
        return None
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate < 1e6:
        raise typer.BadParameter(f"{text!r} is no number of requests a second, and not `max`")
    return rate


def rehearse(
    *,
    canary: Annotated[
        str | None, typer.Option("--canary", help="A version; by default what k8s/rendered/ENVIRONMENT runs.")
    ] = None,
    stable: Annotated[
        str | None, typer.Option("--stable", help="A version; by default the environment's recorded stable.")
    ] = None,
    environment: Environment = releases.PRODUCTION,
    rows: Annotated[Path, typer.Option("--rows", help="Flights to send, a folder like replay/.")] = REPLAY,
    first: Annotated[str | None, typer.Option("--first", help=WINDOW.format("first"))] = None,
    last: Annotated[str | None, typer.Option("--last", help=WINDOW.format("last"))] = None,
    tested: Annotated[
        bool, typer.Option("--tested", help="Those of data/ that the model at hand was measured on.")
    ] = False,
    rate: Annotated[str, typer.Option("--rate", help="Requests a second, or `max`.")] = "600",
    speed: Annotated[
        float, typer.Option("--speed", help="Divides every time of manifests and judge; never evidence.")
    ] = 1.0,
    arguments: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE: an argument of the analysis, as bake=0s.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the order of requests and of their split.")] = 0,
    sticky: Annotated[bool, typer.Option("--sticky", help="A client stays with the arm that it has met.")] = False,
    truth_delay: Annotated[str, typer.Option("--truth-delay", help="From an answer to its truth.")] = "500ms",
    folder: Annotated[
        Path | None, typer.Option("--folder", help="What comes out; by default build/rehearsal/ENVIRONMENT.")
    ] = None,
    judge_policy: Annotated[
        Path, typer.Option("--judge-policy", help="What the canary is held to.")
    ] = deciding.SETTINGS,
    ledger: Annotated[str | None, typer.Option("--ledger", help="A database; by default a file in FOLDER.")] = None,
    notify: Annotated[
        str | None, typer.Option("--notify", help="An address that hears of the end, as a relay's.")
    ] = None,
    notify_token_file: Annotated[
        Path | None, typer.Option("--notify-token-file", help="Holds the token that it asks for.")
    ] = None,
    root: Root = Path(),
    as_json: Json = False,
) -> None:
    """Play a canary here, without a cluster: two releases as processes, real requests, and the real judge.

    The steps are those of the rendered Rollout, whose fields are all understood or refused. Exit code 0: promoted;
    1: aborted, or the judge cannot tell; 2: no rehearsal came about. docs/rehearsal.md says what it shows.

    Examples:
    ```sh
    slipway rehearse
    slipway rehearse -e staging --speed 10
    slipway rehearse --canary 1.3.0 --set bake=0s --set maturity=20s --set cycle=0s --set deadline=40m --speed 10
    ```
    """
    from slipway.canary import query

    if tested:
        if first or last or rows != REPLAY:
            raise Broken("--tested says what is sent, and so do --rows, --first and --last", "Give one of the two.")
        measured = files.read_record(Metrics, root / METRICS).test
        rows, first, last = Path("data"), measured.first, measured.last
    overrides = _overrides(arguments or [])
    token = files.read_bytes(notify_token_file).decode().strip() if notify_token_file else None
    deployed, reference = _manifests(root, environment, canary)
    version = reference["version"]
    beside = stable or releases.beside(shelf.existing(root), shelf.stable(root), environment, version)
    again: list[tuple[str, object]] = [
        *(("--environment", environment), ("--canary", version), ("--stable", beside)),
        *(("--rows", rows), ("--first", first), ("--last", last), ("--rate", rate), ("--speed", speed)),
        *(("--seed", seed), ("--truth-delay", truth_delay), ("--judge-policy", judge_policy)),
        *(("--set", each) for each in arguments or []),
    ]
    with tempfile.TemporaryDirectory(prefix="slipway-rehearsal-") as unpacked:
        play = Play(
            name=environment,
            environment=deployed,
            settings=deciding.read(root / judge_policy),
            stable=None if beside is None else _side(root, beside, Path(unpacked, "stable")),
            canary=_side(root, version, Path(unpacked, "canary")),
            rows=window(root / rows, first, last),
            folder=root / (folder or BUILD / "rehearsal" / environment),
            rate=_rate(rate),
            speed=speed,
            seed=seed,
            sticky=sticky,
            truth_delay=query.seconds(truth_delay),
            overrides=overrides,
            ledger=_absolute(ledger),
            arguments=(*_words(again), *["--sticky"] * sticky),
        )
        if play.canary.image != reference["digest"]:
            raise Rejected(
                f"the manifests run {reference['digest']}, release {version} is {play.canary.image}",
                "Release it again, or take them back: `slipway revert`.",
            )
        try:
            with rehearse_view.watching(f"{environment}: {version} beside {beside or 'nothing'}") as show:
                result = rehearse_engine.rehearse(play, show)
        except KeyboardInterrupt:  # an end from outside is no verdict
            raise Broken("the rehearsal was ended from outside", "Run it again.") from None
    if notify:
        _notify(notify, token, play, reference[0])
    rehearse_report.write(play, result)
    emit(result, _told(result), as_json=as_json)
    if result.outcome != "promoted":
        raise typer.Exit(1)


def _words(options: list[tuple[str, object]]) -> tuple[str, ...]:
    return tuple(word for name, value in options if value is not None for word in (name, str(value)))


def _overrides(given: list[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in given]
    for text, (name, sign, value) in zip(given, pairs, strict=True):
        if not (name and sign and value):
            raise typer.BadParameter(f"{text!r} is not NAME=VALUE")
    return {name: value for name, _, value in pairs}


def _absolute(ledger: str | None) -> str | None:
    """A SQLite file as every process finds it: each works in a folder of its own, and would make its own file."""
    scheme, _, path = (ledger or "").partition(":///")
    return f"{scheme}:///{Path(path).resolve()}" if scheme == "sqlite" and path else ledger


def _manifests(root: Path, environment: str, canary: str | None) -> tuple[Deployed, re.Match[str]]:
    """The objects to be played, and the image in them: those that run, or with another canary those to come."""
    rendered = files.read_texts(root / "k8s/rendered" / environment, "*.yaml")
    if canary is None and not rendered:
        raise Rejected(f"nothing is released to {environment}", "Release, or name a version with --canary.")
    if canary is not None and (not rendered or f":{canary}@" not in tree.image_of(rendered)):
        rendered = settling.filled(root, environment, _package(root, canary))
    found, problems = manifests.examine(tree.objects(rendered))
    if found is None or problems:
        raise Rejected(
            f"the manifests of {environment} are refused: {'; '.join(problems)}",
            "A rehearsal plays what it understands: `slipway manifests check`.",
        )
    match = tree.REFERENCE.fullmatch(found.container.image)
    if match is None:
        raise Rejected(f"the image {found.container.image!r} has no version or no digest", "Release one.")
    return found, match


def _package(root: Path, version: str) -> Package:
    """What a version was packaged as: its release, or where it has none what was packaged last."""
    record = shelf.existing(root).get(version)
    if record is not None:
        return record.package
    path = root / BUILD / "package.json"
    if path.exists() and (found := files.read_record(Package, path)).bundle.version == version:
        return found
    raise Rejected(f"there is no release {version}, and it is not what was packaged last", "Run `slipway package`.")


def _side(root: Path, version: str, into: Path) -> Side:
    """Unpack a version's image, which must have the digest that its record names."""
    package, folder = _package(root, version), root / BUILD / "images" / version
    if not folder.is_dir():
        raise Broken(f"the image of {version} is not at hand in {folder}", "Make it: `slipway package`, or pull it.")
    facts = layout.unpack(folder, into)
    if facts.digest != package.image_digest:
        raise Rejected(
            f"the image at hand is {facts.digest}, {version} is {package.image_digest}",
            "Package its commit again, or pull its image.",
        )
    bundle = files.read_record(Bundle, into / BUNDLE)
    if bundle.version != version:
        raise Rejected(f"the image of {version} holds {bundle.version}", f"releases/{version}.json is wrong.")
    return Side(version, package.image_digest, into / BENTO, package.bento_digest)


def window(folder: Path, first: str | None, last: str | None) -> list[Flight]:
    """Read the flights of a folder from one day to another.

    Raises:
        Rejected: there is none.

    """
    import polars as pl

    from slipway.adapters.flights import months, read_month

    try:
        begin, end = date.fromisoformat(first or "0001-01-01"), date.fromisoformat(last or "9999-12-31")
    except ValueError as error:
        raise typer.BadParameter(f"--first and --last are days, YYYY-MM-DD: {error}") from None
    wanted = [month for month in months(folder) if f"{begin:%Y-%m}" <= month <= f"{end:%Y-%m}"]
    tables = [read_month(folder, month).filter(pl.col("date").is_between(begin, end)) for month in wanted]
    found = [flight for table in tables for flight in flights(table.iter_rows(named=True))]
    if not found:
        raise Rejected(f"{folder} holds no flight of that window", "Pull the data: `make data`, or name other days.")
    return found


def _told(result: Rehearsed) -> str:
    sent = sum(arm.requests for arm in result.traffic.values())
    why = result.evidence.detail if result.evidence else result.message or "there is nothing to judge"
    colour = {"promoted": "green", "aborted": "red", "inconclusive": "yellow"}[result.outcome]
    cause = f", cause {result.cause}" if result.cause else ""
    return (
        f"[{colour}]{result.outcome}[/] {result.canary} beside {result.stable or 'nothing'}{cause}, after {sent:,}"
        f" requests in {duration(result.seconds)}\n  {why}"
    )


def _notify(address: str, token: str | None, play: Play, image: str) -> None:
    """Tell as Rollouts does: once, and without waiting for long."""
    import requests

    metadata = play.environment.rollout.metadata
    with suppress(requests.RequestException):
        body = {"namespace": metadata.namespace, "rollout": metadata.name, "image": image}
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        requests.post(address, json=body, headers=headers, timeout=NOTIFY_SECONDS)
