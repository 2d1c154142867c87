"""The relay: what became of a canary is written to Git, by its verbs, until main shows it.

A webhook says only where to look. What is done follows from the rollout as it is seen, and from main; what was decided
is kept on the disk until main shows the outcome. A source that is silent decides nothing.
"""

import logging
from collections.abc import Callable, Sequence
from threading import Event
from typing import Protocol

import msgspec

from slipway import records
from slipway.adapters.outbox import Kept, Outbox
from slipway.errors import SlipwayError
from slipway.records import Evidence
from slipway.rollout import relay
from slipway.rollout.records import Seen
from slipway.rollout.relay import Action, Environment, Git
from slipway.services.relay.acting import Acting
from slipway.services.relay.meters import Meters

SOON = 1.0  # seconds to the next look after a webhook: the controller sends it before it writes the abort down
LOOKS = 60  # that a webhook is worth

log = logging.getLogger(__name__)


class Sight(Protocol):
    """Where rollouts are seen: a cluster, or a rehearsal."""

    def seen(self, namespace: str, name: str, now: float) -> Seen | None:
        """Say how a rollout stands at `now`; None where there is none."""


class Reads(Protocol):
    """Where main is read."""

    def read(self, stop: Event) -> Git:
        """Say what main says."""


class Asks(Protocol):
    """Who knows what the judge thinks."""

    def word(self, namespace: str, rollout: str, now: float) -> Evidence | None:
        """Say what its verdict rests on at `now`; None while it has none."""


class Tells(Protocol):
    """Who tells people."""

    def __call__(self, title: str, body: str, key: str) -> Sequence[str]:
        """Tell; returns what could not be told."""


class Relay:
    """One turn after the other, in one thread; `wake` is set by whoever does not want to wait for the next."""

    def __init__(
        self,
        outbox: Outbox,
        main: Reads,
        sight: Sight,
        acting: Acting,
        judge: Asks | None,
        *,
        tell: Tells,
        meters: Meters,
        clock: Callable[[], float],
        poll: float,
    ) -> None:
        self._outbox, self._main, self._sight, self._acting, self._judge = outbox, main, sight, acting, judge
        self._tell, self._meters, self._clock, self._poll = tell, meters, clock, poll
        self.wake, self.stopped = Event(), Event()

    def run(self) -> None:
        """Turn until stopped."""
        while True:
            self.wake.clear()  # before the question below, which is answered before `stop` wakes
            if self.stopped.is_set():
                return
            try:
                wait = self.turn()
            except SlipwayError as error:  # its own memory: it decides nothing without
                self._failed("outbox", error)
                wait = self._poll
            except Exception:
                log.exception("a turn of the relay broke off")
                self._meters.failed("relay")
                wait = self._poll
            self.wake.wait(wait)

    def stop(self) -> None:
        """Ask it to end; a verb that runs is ended, and run again at the next start."""
        self.stopped.set()
        self.wake.set()

    def turn(self) -> float:
        """Look at every environment, and do what is due; returns the seconds to the next turn."""
        self._meters.turned(self._clock())
        try:
            git = self._main.read(self.stopped)
        except SlipwayError as error:
            self._failed("git", error)
            return self._poll
        self._meters.fetched(self._clock())
        hints = self._outbox.hints()
        stood = {name: self._look(name, one, git) for name, one in git.environments.items()}
        self._settle(git, stood, hints)
        acted = self._work(git, stood)
        kept = self._outbox.actions()
        self._meters.waiting(len(self._outbox.hints()), len(kept))
        waiting = {one.environment: one.next for one in reversed(kept) if one.result != "rejected"}  # the first of each
        soon = [following - self._clock() for following in waiting.values()]
        if acted or (hints and self._outbox.hints()):
            soon.append(SOON)
        return max(0.05, min([self._poll, *soon]))

    def _look(self, name: str, environment: Environment, git: Git) -> Seen | None:
        """Look at the rollout of an environment, and keep what is due there."""
        now = self._clock()
        try:
            seen = self._sight.seen(environment.namespace, environment.rollout, now)
        except SlipwayError as error:
            self._failed("facts", error)
            return None
        self._meters.looked(name, now)
        if seen is None:
            return None
        if seen.phase == "progressing" and seen.image == environment.image:
            self._listen(seen)
        action = relay.due(seen, name, git)
        report = action if action is not None and action.verb == "report" else None
        if self._outbox.report(name, report.key if report else None, now, report.after if report else 0.0) and report:
            self._say(f"{report.version or report.image} in {name} needs a person", f"{report.why}.", report.key)
        self._meters.reports(name, standing=self._outbox.told(name))
        if action is not None and report is None:
            self._listen(seen)  # a rehearsal keeps the very last word; a cluster's judge has none any more
            word = self._outbox.word(seen.namespace, seen.rollout, seen.image)
            evidence = records.loads(Evidence, word, "the judge's last word") if word else None
            told = msgspec.structs.replace(action, evidence=evidence if action.cause else None)
            if self._outbox.add(action.key, action.environment, msgspec.json.encode(told).decode()):
                log.info("%s %s in %s: %s", action.verb, action.version, action.environment, action.cause or action.why)
        return seen

    def _listen(self, seen: Seen) -> None:
        """Keep the judge's last word: after the end it has none."""
        if self._judge is None:
            return
        try:
            word = self._judge.word(seen.namespace, seen.rollout, self._clock())
        except SlipwayError as error:
            self._failed("judge", error)
            return
        if word is not None:
            self._outbox.remember(seen.namespace, seen.rollout, seen.image, msgspec.json.encode(word).decode())

    def _settle(self, git: Git, stood: dict[str, Seen | None], hints: dict[tuple[str, str], int]) -> None:
        """Let go of webhooks that were answered by a look."""
        known = {(one.namespace, one.rollout): stood[name] for name, one in git.environments.items()}
        for (namespace, rollout), tries in hints.items():
            seen = known.get((namespace, rollout))
            ended = seen is not None and seen.phase != "progressing"
            self._outbox.looked(namespace, rollout, tries, most=0 if ended else LOOKS)

    def _work(self, git: Git, stood: dict[str, Seen | None]) -> bool:
        """Do what is kept, per environment in order; says whether main may show an outcome now."""
        ran, held = False, set[str]()
        for kept in self._outbox.actions():
            action = msgspec.json.decode(kept.action, type=Action)
            seen, stands = stood.get(action.environment), relay.stands(action, git)
            if stands and seen is not None and relay.withdrawn(action, seen):
                self._end(kept, action, "withdrawn")
            elif not stands and kept.result != "broken":  # a verb that broke off has mirrors to mend
                self._end(kept, action, "done" if kept.tries else "needless")
            elif kept.result == "rejected" and kept.at == git.commit:
                continue  # the answer was no, and nothing has changed since
            elif action.environment not in held:
                held.add(action.environment)
                if kept.next <= self._clock() and not self.stopped.is_set():
                    ran |= self._act(kept, action, git)
        return ran

    def _act(self, kept: Kept, action: Action, git: Git) -> bool:
        self._outbox.tries(kept.number, "broken", git.commit)
        tried = self._acting.act(action, kept.tries, self.stopped)
        self._outbox.tried(kept.number, tried.result, tried.said, self._clock() + tried.after)
        self._meters.acted(action.verb, tried.result)
        level = logging.INFO if tried.result in ("ran", "sent") else logging.WARNING
        log.log(level, "%s %s in %s: %s: %s", action.verb, action.version, action.environment, tried.result, tried.said)
        return tried.result in ("ran", "rejected")

    def _end(self, kept: Kept, action: Action, how: str) -> None:
        self._outbox.done(kept.number)
        self._meters.acted(action.verb, how)

    def _say(self, title: str, body: str, key: str) -> None:
        """Tell people, in the log and wherever else; that it could not be told holds nothing up."""
        for problem in (f"{title}: {body}", *self._tell(title, body, key)):
            log.warning(problem)

    def _failed(self, source: str, error: SlipwayError) -> None:
        log.warning("%s: %s. %s", source, error.what, error.remedy)
        self._meters.failed(source)
