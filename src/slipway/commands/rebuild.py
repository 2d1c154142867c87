"""`slipway rebuild`: a release made anew from its commit and its data, elsewhere, and held against its record."""

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.status import Status

from slipway import digests, rebuilt
from slipway.adapters import dvc, files, processes, tree, wheels
from slipway.adapters.git import Repository
from slipway.commands import BUILD, Json, Root, agreed, emit, progress, verifying
from slipway.errors import Broken, Rejected, SlipwayError
from slipway.rebuilt import Compared, Part, Rebuilt
from slipway.records import Package, Release

LOCK = Path("requirements/pipeline.txt")
TAIL = 2000  # characters of what a failed step has printed
MENDED = "Mend what it names, and run it again; with --folder the clone is kept to look into."


@dataclass(frozen=True)
class Place:
    """A clone of the source commit, and what commands see that run in it."""

    clone: Repository
    environment: Mapping[str, str]
    status: Status

    def run(self, *command: str, remedy: str = MENDED) -> None:
        """Run a step to its end.

        Raises:
            Broken: it failed; says how its words ended.

        """
        line = " ".join(command)
        self.status.update(f"rebuilding  [dim]{line}[/]")
        code, output = processes.run(list(command), self.clone.root, self.environment, kindly=command[0] == "slipway")
        if code:
            raise Broken(f"`{line}` ended with exit code {code}: {output.strip()[-TAIL:]}", remedy)


def rebuild(
    version: Annotated[str, typer.Argument(help="Of a release.")],
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Rebuild there and keep it; by default in a temporary folder.")
    ] = None,
    root: Root = Path(),
    *,
    as_json: Json = False,
) -> None:
    """Make a release anew from its source commit and its data, and compare it with what was recorded.

    The commit is cloned to another folder, its data are pulled from the remote, and its own code runs the whole
    pipeline and `slipway package`; no cache and no output of this checkout is used. Where the digests of the record do
    not come out, it is named what differs, file by file.

    Exit code 1: something differs. 2: the commit, the data or a tool are not to be had, so there is no answer.

    Examples:
    ```sh
    slipway rebuild 1.1.0
    slipway rebuild 1.1.0 --folder /tmp/again
    ```
    """
    repository = Repository(root.resolve())
    release = _release(repository, version)
    with _place(repository, release, folder) as place:
        told = _compare(repository, release, place)
    emit(told, "\n".join(_lines(told, folder)), as_json=as_json)
    if not told.identical:
        raise typer.Exit(Rejected.exit_code)


def _release(repository: Repository, version: str) -> Release:
    known = agreed.newest(repository)
    found = known.state().releases.get(version)
    if found is None:
        raise Rejected(f"releases/ of {known.commit[:12]} holds no {version}", "`slipway history` lists the releases.")
    commit = found.package.bundle.source_commit
    if repository.commit_of(commit) is None:
        raise Broken(
            f"{repository.root} does not hold {commit}, which {version} is made from",
            "Fetch it: git fetch --unshallow in a shallow clone, else git fetch --all.",
        )
    return found


@contextmanager
def _place(repository: Repository, release: Release, folder: Path | None) -> Iterator[Place]:
    """Clone the source commit; all that runs there, and the temporary folder, are gone when the block ends."""
    if folder is not None and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Rejected(f"{folder} is there, and not an empty folder", "Name another, or remove it.")
    with (
        tempfile.TemporaryDirectory(prefix="slipway-rebuild-") as temporary,
        processes.family() as mark,
        progress.status("rebuilding") as status,
    ):
        scratch = Path(temporary).resolve()
        clone = Repository(scratch / "clone" if folder is None else folder.resolve())
        _clone(repository, release.package.bundle.source_commit, clone)
        yield Place(clone, _environment(clone.root, scratch) | mark, status)


def _clone(repository: Repository, commit: str, clone: Repository) -> None:
    """Take a commit alone, whether or not a branch of the checkout has it."""
    clone.root.mkdir(parents=True, exist_ok=True)
    clone.git("init", "--quiet")
    clone.git("fetch", "--quiet", "--no-tags", "--depth=1", repository.root.as_uri(), commit)
    clone.git("checkout", "--quiet", "--detach", commit)
    dvc.bring_settings(repository.root, clone.root)


def _environment(clone: Path, scratch: Path) -> dict[str, str]:
    """What runs in the clone sees: its own code, this environment's tools, and no place that outlives it."""
    for name in ("tmp", "dvc"):
        (scratch / name).mkdir()
    return {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "PYTHONPATH": str(clone / "src"),
        "TMPDIR": str(scratch / "tmp"),
        "DVC_SITE_CACHE_DIR": str(scratch / "dvc"),
    }


def _compare(repository: Repository, release: Release, place: Place) -> Rebuilt:
    clone, version = place.clone, release.package.bundle.version
    place.run("dvc", "pull", "data.dvc", remedy="`dvc push data.dvc` where the data are, or give this shell access.")
    data = dvc.folder_digest(clone.root / "data")
    place.run("dvc", "repro", "--force")
    outputs = rebuilt.outputs(*(files.parse_yaml(text, "dvc.lock") for text in _locks(clone)))
    if changed := clone.dirty():  # other outputs are a finding, and no reason not to go on and package them
        clone.git("update-index", "--assume-unchanged", "--", *changed)
    place.run("slipway", "package", "--version", version)
    made = files.read_record(Package, clone.root / BUILD / "package.json")
    parts = rebuilt.parts(release.package, made, data) + tuple(_card(repository, version, clone.root))
    return Rebuilt(
        version=version,
        source_commit=release.package.bundle.source_commit,
        identical=not outputs and not rebuilt.differing(parts),
        parts=parts,
        outputs=outputs,
        bento=_bento(repository, release, clone.root) if "bento" in rebuilt.differing(parts) else None,
        installed=wheels.unlike(files.read_bytes(clone.root / LOCK).decode()),
    )


def _locks(clone: Repository) -> tuple[str, str]:
    """What the stages gave by the commit, and what they give."""
    return clone.git("show", "HEAD:dvc.lock"), files.read_bytes(clone.root / "dvc.lock").decode()


def _card(repository: Repository, version: str, clone: Path) -> Iterator[Part]:
    """Pair the model cards, where the release has one."""
    recorded = repository.show(agreed.newest(repository).commit, str(verifying.committed(version)[1]))
    if recorded is not None:
        made = digests.of_bytes(files.read_bytes(clone / verifying.CARD))
        yield Part(name="card", recorded=digests.of_bytes(recorded.encode()), rebuilt=made)


def _bento(repository: Repository, release: Release, clone: Path) -> Compared:
    folder = BUILD / "bentos" / release.package.bundle.version / "bento"
    made = digests.entries(tree.read(clone / folder))
    try:
        signed = verifying.released(repository, release).statement.lineage.entries
    except SlipwayError as error:
        why = error.what
    else:
        return Compared(against="attestation", differences=tuple(digests.differences(signed, made)), remark=None)
    here = repository.root / folder
    if not here.exists() or digests.of_tree(released := tree.read(here)) != release.package.bento_digest:
        return Compared(against=None, differences=(), remark=f"{why}; nor is it in {folder}")
    found = digests.differences(digests.entries(released), made)
    return Compared(against="build", differences=tuple(found), remark=why)


def _lines(told: Rebuilt, folder: Path | None) -> Iterator[str]:
    outcome = "[green]identical[/]" if told.identical else "[bold red]differs[/]"
    yield f"{outcome} {told.version}, made anew from {told.source_commit[:12]}{f' in {folder}' if folder else ''}"
    for part in told.parts:
        same = part.recorded == part.rebuilt
        mark, recorded = ("[green]✓[/]", "") if same else ("[red]✗[/]", f", recorded {part.recorded}")
        yield f"  {mark} {part.name:<7} {part.rebuilt}{recorded}"
    for name in told.outputs:
        yield f"  [red]✗[/] {escape(name)} is not what dvc.lock of that commit says"
    if told.bento:
        yield from _files(told.bento)
    if told.installed:
        yield f"  [yellow]installed here, not as {LOCK} of that commit says:[/] {escape('; '.join(told.installed))}"


def _files(bento: Compared) -> Iterator[str]:
    if bento.remark:
        yield f"  [yellow]not held against what was signed:[/] {escape(bento.remark)}"
    if bento.against:
        where = "as it was signed" if bento.against == "attestation" else f"as it lies in {BUILD / 'bentos'}"
        yield f"  the bento, {where}, and as it is now:"
        yield from (f"    {escape(one)}" for one in bento.differences)
