"""docs/reliability.md: its tables are what the last full run has seen."""

import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tests.cluster.chaos.faults import FAULTS, THREATS, Fault, Threat
from tests.cluster.machine.programs import ROOT
from tests.cluster.scenarios.playing import Ended
from tests.cluster.traffic import Seen

PAGE = ROOT / "docs/reliability.md"
BEGIN, END = "<!-- chaos:begin -->", "<!-- chaos:end -->"
HERE, SCENARIOS, RULES = (
    "tests/cluster/chaos",
    "tests/cluster/scenarios/test_scenarios.py",
    "tests/manifests/test_rules.py",
)
STANDS, ENDS = (
    f"{HERE}/test_a_good.py::test_a_good_canary_stays_where_it_is",
    f"{HERE}/test_b_bad.py::test_a_bad_canary_is_aborted",
)
# Where the controllers fail open: what happens elsewhere, what happens here, and what shows it.
EDGES = [
    (
        "the analysis is answered by a page or an empty 200",
        "with the `web` provider: a success, so the canary goes on",
        "the `prometheus` provider: an error, which never promotes",
        STANDS,
    ),
    (
        "it is answered `null`",
        "with the `web` provider: the whole controller crashes, again and again",
        "an error; the controller's container is the same afterwards",
        STANDS,
    ),
    (
        "the judge is broken or restarts",
        "`consecutiveErrorLimit: 1`: a good canary is aborted in 10 s",
        "`consecutiveErrorLimit: 60`: it waits, and is asked again",
        STANDS,
    ),
    (
        "whoever hears of an abort hangs",
        "the abort waits as long: weight and errors stay",
        "the same, so the relay answers within 100 ms, also while Git hangs",
        f"{ENDS}, tests/relay/test_process.py::test_the_webhook_is_answered_while_git_hangs",
    ),
    (
        "the call is lost or refused",
        "Git asks for the aborted image for ever",
        "the relay looks by itself every 15 s",
        ENDS,
    ),
    (
        "every pod of the canary crashes",
        "Traefik refuses the whole route: 404 for all, stable's share too",
        "`allowEmptyServices`; the judge aborts on errors, or as unavailable",
        f"{SCENARIOS}::test_d_a_bad_service_is_aborted",
    ),
    (
        "an unrelated commit while Git still asks for what was aborted",
        "edited steps try the aborted image again",
        "nothing starts: a release changes production's manifests, and nothing else does",
        f"{SCENARIOS}::test_d_g_an_unrelated_commit_does_not_try_the_aborted_image_again",
    ),
    (
        "`kubectl argo rollouts undo` behind Git's back",
        "another image serves than Git says",
        "Argo CD's self-heal puts Git's image back",
        f"{SCENARIOS}::test_j_an_undo_is_put_back",
    ),
    (
        "Argo CD syncs while a canary has its weight",
        "the weights are put back to 0 and the app is Synced: no request is judged",
        "weights ignored and respected; the share that clients see is the weight's",
        "tests/cluster/scenarios/test_staging.py::test_l_a_release_to_staging_is_judged_there_and_in_production",
    ),
    (
        "`rollbackWindow`, a `pause` step, the `web` provider, a limit of its own",
        "an aborted image goes live unjudged; nothing can abort in a pause; see above",
        "`slipway manifests check` and `slipway release` refuse each by its field",
        f"{RULES}::test_a_type_refuses, {RULES}::test_a_rule_refuses",
    ),
]


@dataclass
class Report:
    """What was seen of a commit, by the fault's name."""

    commit: str
    stood: dict[str, str] = field(default_factory=dict)
    ended: dict[str, str] = field(default_factory=dict)
    proceeded: str = ""
    kept: str = ""

    def stands(self, fault: Fault, back: float, again: float, clients: Seen, silence: float) -> None:
        """A good canary has stood it."""
        failed = f"{clients.failed:,} of {clients.requests:,}"
        row = (fault.name, f"{back:.1f} s", f"{again:.1f} s", failed, f"{silence:.1f} s" if clients.failed else "")
        self.stood[fault.name] = _told(row)

    def ends(self, threat: Threat, found: Ended) -> None:
        """A bad canary has ended in spite of it."""
        names = ("verdict -> weight 0", "abort -> revert in Git", "in all")
        times = [f"{found.seconds[name]:.1f} s" if name in found.seconds else "" for name in names]
        failed = f"{found.clients.failed:,} of {found.clients.requests:,}"
        self.ended[threat.name] = _told((threat.name, f"{found.kind}, cause {found.cause}", *times, failed))

    def write(self) -> None:
        """Put the tables into the page, if the run saw all of it."""
        whole = len(self.stood) == len(FAULTS) and len(self.ended) == len(THREATS)
        if not (whole and self.proceeded and self.kept):
            print("docs/reliability.md stays as it was: not every fault was seen to its end", flush=True)
            return
        before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
        text = f"{before}{BEGIN}\n{self._tables()}\n{END}{rest.partition(END)[2]}"
        PAGE.write_text(text, encoding="utf-8")

    def _tables(self) -> str:
        stood = (
            "a good canary at 10 %, and",
            "back after",
            "judge asked again after",
            "requests that failed",
            "within",
        )
        ended = (
            "a bad canary, and",
            "ends",
            "verdict to weight 0",
            "abort to revert",
            "in all",
            "requests that failed",
        )
        edges = ("what goes wrong", "elsewhere", "here", "shown by")
        shown = [(*edge, ", ".join(f"`{test}`" for test in tests.split(", "))) for *edge, tests in EDGES]
        parts = (
            f"Seen at {self.commit} on {datetime.now(UTC):%d %B %Y}, by `make chaos`.",
            _table(stood, self.stood.values()),
            _table(ended, self.ended.values()),
            f"{self.proceeded} {self.kept}",
            _table(edges, map(_told, shown)),
        )
        return "\n\n".join(parts)


def _told(cells: Iterable[str]) -> str:
    line = f"| {' | '.join(cells)} |"
    print(line, flush=True)
    return line


def _table(head: tuple[str, ...], rows: Iterable[str]) -> str:
    return "\n".join([f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *rows])


def commit() -> str:
    """Name what is checked out."""
    told = subprocess.run(
        ["git", "describe", "--always", "--dirty=, changed,"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return told.stdout.strip()
