"""The command line: one verb per module of `commands`; errors become a sentence, a remedy and an exit code here."""

import json
import signal
import sys
import traceback
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from slipway import (
    __version__,
    quiet,  # noqa: F401  # before any library reads the environment
)
from slipway.commands import (
    audit,
    card,
    comment,
    console,
    demo,
    doctor,
    gate,
    history,
    judge_explain,
    judge_plan,
    judge_serve,
    ledger_migrate,
    manifests,
    monitor,
    outcome,
    package,
    platform_image,
    policy,
    pr,
    promote,
    pull,
    push,
    quarantine,
    rebuild,
    record,
    register,
    rehearse,
    relay_serve,
    release,
    replay,
    report,
    retrain,
    revert,
    rollback,
    runtime,
    serve,
    sign,
    status,
    take,
    track,
    verify,
)
from slipway.errors import Broken, SlipwayError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    epilog="Exit codes: 0 accepted, 1 rejected, 2 broken. `slipway VERB --help` has examples.",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def slipway(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Ship machine-learning models: train, gate, package, register, release. Git never lies about what is live."""
    if version:
        console.print(__version__)
        raise typer.Exit


for verb in (
    demo.demo,
    take.take,
    record.record,
    retrain.retrain,
    track.track,
    gate.gate,
    report.report,
    comment.comment,
    pr.pr,
    register.register,
    package.package,
    card.card,
    sign.sign,
    verify.verify,
    push.push,
    pull.pull,
    release.release,
    promote.promote,
    revert.revert,
    rollback.rollback,
    outcome.outcome,
    rehearse.rehearse,
    replay.replay,
    history.history,
    status.status,
    monitor.monitor,
    doctor.doctor,
    audit.audit,
    rebuild.rebuild,
    serve.serve,
):
    app.command()(verb)
for name, about, verbs in (
    (
        "judge",
        "Whether a canary is promoted: answer it, plan it, explain it.",
        (judge_serve.serve, judge_plan.plan, judge_explain.explain),
    ),
    ("ledger", "What was answered, and what was true: make its tables.", (ledger_migrate.migrate,)),
    ("relay", "What became of a canary: have Git know it.", (relay_serve.serve,)),
    ("policy", "Who may sign a release: say it to a cluster.", (policy.render,)),
    ("manifests", "What Argo CD applies: check it, and render it.", (manifests.check, manifests.render)),
    (
        "quarantine",
        "What an abort has barred from release: list it, and let it in again.",
        (quarantine.list_, quarantine.lift),
    ),
    ("runtime", "The image that releases stand on: build it, and lock it.", (runtime.build, runtime.lock)),
    ("platform", "The image of slipway itself, for its pods: build it.", (platform_image.build,)),
):
    group = typer.Typer(no_args_is_help=True, help=about)
    for one in verbs:
        group.command(one.__name__.rstrip("_"))(one)
    app.add_typer(group, name=name)


def main() -> None:
    """Run the command line."""
    for ended in (signal.SIGTERM, signal.SIGHUP):  # as Ctrl-C does: what was begun is cleared away
        signal.signal(ended, signal.default_int_handler)
    try:
        app()
    except SlipwayError as error:
        _report(error)
        sys.exit(error.exit_code)
    except OSError as error:  # a full disk, a folder that is not ours
        _report(
            Broken(f"{error.filename or 'an input or output'}: {error.strerror or error}", "Look at the disk there.")
        )
        sys.exit(Broken.exit_code)
    except Exception:  # noqa: BLE001  # Python's own exit code for it is 1, which here is a verdict
        traceback.print_exc()
        sys.exit(Broken.exit_code)


def _report(error: SlipwayError) -> None:
    outcome = "rejected" if error.exit_code == 1 else "broken"
    if "--json" in sys.argv:
        sys.stdout.write(json.dumps({"outcome": outcome, "what": error.what, "remedy": error.remedy}) + "\n")
    else:
        stderr = Console(stderr=True, highlight=False)
        stderr.print(f"[bold red]{outcome}[/] {escape(error.what)}\n[dim]->[/] {escape(error.remedy)}")


if __name__ == "__main__":
    main()
