"""`slipway demo`: the story on real data, in a throw-away clone, by the very commands a person would type."""

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from slipway import demo as story
from slipway.adapters import files, processes
from slipway.adapters.git import Repository
from slipway.commands import Json, Root, console, demo_place, emit, progress
from slipway.commands.demo_place import FOLDER, Place
from slipway.demo import DemoResult
from slipway.errors import Broken, Rejected

if TYPE_CHECKING:
    from slipway.commands.demo_scenes import Scenes


def demo(
    *,
    short: Annotated[bool, typer.Option("--short", help="The first release and the leak only.")] = False,
    seed: Annotated[int, typer.Option("--seed", help="Of the order of requests and of their split.")] = story.SEED,
    serve: Annotated[bool, typer.Option("--serve", help="At the end, serve the recorded stable until Ctrl-C.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Only hold a finished demo against its result.json.")] = False,
    root: Root = Path(),
    as_json: Json = False,
) -> None:
    """Tell the story on real data: four releases and a way back, in a throw-away clone under build/demo/.

    The first release, a better model, one that has learned the future, and the champion's twin: each is trained, gated,
    packaged, released and played as a canary; a relay has Git know how it ended. Your tree is not touched, and what no
    commit holds is not seen.

    Examples:
    ```sh
    slipway demo
    slipway demo --short --serve
    slipway demo --check
    ```
    """
    place = Place((root / FOLDER).resolve(), progress if as_json else console)
    demo_place.leave_the_user()
    if check:
        emit(_check(place), f"[green]holds[/] Git, MLflow and the ledger say what {place.result} says", as_json=as_json)
        return
    source = Repository(root.resolve())
    if not (source.root / ".git").exists() or source.commit_of("HEAD") is None:
        raise Broken(f"{source.root} is not the root of a clone with a commit", "Run it there, or name it: --root")
    with demo_place.alone(place.root), processes.family() as mark:
        _play(replace(place, mark=mark), source, seed, short=short, keep=serve)
    if as_json:
        sys.stdout.write(place.result.read_text(encoding="utf-8"))


def _check(place: Place) -> DemoResult:
    from slipway.commands import demo_facts

    told = files.read_record(DemoResult, place.result)
    found = demo_facts.collect(place)
    if different := list(story.differences(told, found)):
        raise Rejected(f"the demo is not what result.json says: {'; '.join(different)}", "Run `make demo` again.")
    return found


def _play(place: Place, source: Repository, seed: int, *, short: bool, keep: bool) -> None:
    from slipway.commands import demo_asking, demo_facts
    from slipway.commands.demo_scenes import Scenes

    place.say(f"[bold]Will a flight arrive 15 minutes late?[/] New York, 2013. [dim]In {place.root}[/]")
    if dirty := source.dirty():
        place.say(f"[yellow]not seen here, because no commit holds it:[/] {', '.join(dirty[:3])}")
    started = time.monotonic()
    place.set_up(source)
    scenes = Scenes(place, seed)
    with scenes.sigstore():
        _tell(place, scenes, short=short)
    files.write_record(place.result, demo_facts.collect(place))
    place.headline("the end", "asked of Git, MLflow and the ledger")
    for step in story.ending(short=short):
        place.play(step)
    took = f"{time.monotonic() - started:.0f} s"
    place.say(f"\n[bold]{took}[/] {place.result} holds it; the canary that was aborted: {place.root / 'leak.html'}")
    if keep:
        from slipway.commands.serve import until_ended

        version = files.read_record(DemoResult, place.result).version
        with demo_asking.service(place, version, demo_place.AFTER) as address:
            place.say(f"Serving {version} at {address} until Ctrl-C.")
            until_ended(address)
            place.say("stopped")


def _tell(place: Place, scenes: "Scenes", *, short: bool) -> None:
    from slipway.commands import demo_asking, demo_facts

    place.headline("1 · the first release", "trained on January to March, tested on April; nothing to compare with")
    first = scenes.first_release()
    with demo_asking.service(place, first) as address:
        with progress.status("asking the release about ten flights, and telling it what happened"):
            asked = demo_asking.ask(place, address)
        place.console.print(demo_asking.table(asked))
        place.say("[dim]It warns from one in six on: a missed delay costs as much as five false alarms.[/]")
    place.say(story.chain(asked[0], demo_facts.collect(place).scenes[0]))
    with scenes.relay():
        if not short:
            place.headline("2 · new data", "May, and June to the 15th; live: 16 to 30 June")
            better = scenes.new_data()
        place.headline("3 · a leak", "one line makes the delay at departure a feature; live, nobody knows it yet")
        leaked = scenes.leak()
        if not short:
            scenes.again()
        scenes.merge(leaked)
        if not short:
            place.headline("4 · the twin", "the champion's data and recipe: the very same model, as a new release")
            scenes.twin()
            place.headline("5 · the way back", "a person's word, in seconds, against no evidence at all")
            scenes.rollback(first)
    if not short:
        place.headline("6 · a lie", "in a copy of all this, somebody changes what was signed, and pushes it")
        scenes.tampered(first, better)
