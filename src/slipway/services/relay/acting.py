"""Two ways to have an outcome written: run the verb here, or ask GitHub to run it in a workflow."""

import sys
from collections import Counter
from pathlib import Path
from threading import Event
from typing import Literal, Protocol

import msgspec

from slipway import records
from slipway.adapters.github import Workflow
from slipway.errors import Broken, Rejected, SlipwayError
from slipway.records import Evidence
from slipway.rollout.relay import Action
from slipway.services.relay import processes

SECONDS = 300.0  # for a verb
FIRST, MOST = 1.0, 300.0  # seconds between two tries
RUNS = 600.0  # seconds that a workflow is given to show its outcome, before it is asked for again


Result = Literal["ran", "rejected", "broken", "sent", "unsent"]
RESULTS: dict[int | None, Result] = {0: "ran", Rejected.exit_code: "rejected"}


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one try; only main says that it is done."""

    result: Result
    said: str
    after: float  # seconds until the next try, if main does not show the outcome


class Acting(Protocol):
    """Whoever has an outcome written."""

    def act(self, action: Action, tries: int, stop: Event) -> Tried:
        """Try once, after `tries` before."""


class Verbs:
    """The verbs themselves, in a checkout on this machine."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def act(self, action: Action, tries: int, stop: Event) -> Tried:
        """Run the verb: 0 is done, 1 is no, all else is no answer."""
        command = (sys.executable, "-m", "slipway", *arguments(action))
        code, said = processes.run(command, self._root, SECONDS, stop)
        if code is None:
            said = f"ended after {SECONDS:g} s, or with the relay. {said}"
        return Tried(result=RESULTS.get(code, "broken"), said=said, after=back_off(tries))


class Dispatch:
    """outcome.yml, by GitHub's API."""

    def __init__(self, workflow: Workflow) -> None:
        self._workflow = workflow
        self._sent: Counter[tuple[str, str | None, str]] = Counter()

    def act(self, action: Action, tries: int, _stop: Event) -> Tried:
        """Ask for a run of the workflow; that it was taken says nothing of the outcome.

        What is carried on may be a pull request, and wait for a person: it is asked for ever more rarely.
        """
        try:
            asked = self._workflow.dispatch(inputs(action))
        except SlipwayError as error:
            return Tried(result="unsent", said=f"{error.what}. {error.remedy}", after=back_off(tries))
        if asked is not None:
            return Tried(result="unsent", said="GitHub asks to wait", after=max(asked, back_off(tries)))
        about = (action.verb, action.version, action.environment)
        after = RUNS * 2.0 ** min(self._sent[about], 7) if action.verb == "carry" else RUNS
        self._sent[about] += 1
        return Tried(result="sent", said="GitHub runs outcome.yml", after=after)


def arguments(action: Action) -> list[str]:
    """The command line of an action."""
    where = ["--environment", action.environment]
    evidence = ["--evidence", _json(action.evidence)] if action.evidence else []
    if action.verb == "promote":
        return ["promote", str(action.version), *where, "--cause", str(action.cause), *evidence]
    if action.verb == "revert":
        why = ["--why", action.why] if action.why else []
        return ["revert", "--digest", action.image, *where, "--cause", str(action.cause), *evidence, *why]
    if action.verb == "carry":
        return ["release", "--carry", str(action.version), *where]
    raise Broken(f"{action.verb} is no verb of the command line", "This is a mistake in Slipway: please report it.")


def inputs(action: Action) -> dict[str, str]:
    """The inputs of outcome.yml: texts, empty where an action has none."""
    return {
        "verb": action.verb,
        "version": action.version or "",
        "digest": action.image,
        "environment": action.environment,
        "cause": action.cause or "",
        "evidence": _json(action.evidence) if action.evidence else "",
        "why": action.why,
    }


def back_off(tries: int) -> float:
    """Seconds after so many tries: each time twice as long."""
    return min(MOST, FIRST * 2.0 ** min(tries, 30))


def _json(evidence: Evidence) -> str:
    return msgspec.json.encode(msgspec.json.decode(records.dumps(evidence))).decode()  # one line, digits rounded
