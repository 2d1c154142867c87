"""The actions that the workflows use: each with its effect on this machine, pinned as it may be; others are refused."""

import base64
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tests.conftest import NAME

if TYPE_CHECKING:
    from tests.workflows.running import Step

Act = Callable[["Step"], dict[str, str]]


class Failed(Exception):
    """An action ends its job."""


def known(uses: str) -> Act:
    """The effect of an action, if it is one of those below at that commit."""
    name, _, commit = uses.partition("@")
    assert name in ACTIONS, f"{name} is not played here"
    pinned, act = ACTIONS[name]
    assert commit == pinned, f"{name} is pinned to another commit than {pinned}"
    return act


def _only(step: "Step", *names: str) -> None:
    assert step.given.keys() <= set(names), f"not played here: {step.given.keys() - set(names)}"


def checkout(step: "Step") -> dict[str, str]:
    """Fetch a commit as nobody, or as a token, which stays in the clone's settings if it is to persist."""
    _only(step, "ref", "fetch-depth", "token", "persist-credentials", "repository")
    address = f"{step.env['GITHUB_SERVER_URL']}/{NAME}"
    ref = str(step.given.get("ref") or step.run.ref)

    def git(*words: str) -> str:
        command = ["git", *words]
        done = subprocess.run(command, cwd=step.workspace, env=step.env, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Failed(f"git {words[0]}: {done.stderr}")
        return done.stdout.strip()

    if not step.permissions.get("contents"):
        raise Failed("this job may not read the repository")
    git("init", "--quiet", "--initial-branch=main")
    git("remote", "add", "origin", address)
    assert str(step.given.get("fetch-depth")) == "0", "the history is read"
    git("fetch", "--quiet", "origin", "+refs/heads/*:refs/remotes/origin/*")
    ref = ref.removeprefix("refs/heads/")
    commit = step.run.sha if "ref" not in step.given else ref if len(ref) == 40 else git("rev-parse", f"origin/{ref}")
    git("fetch", "--quiet", "origin", commit)  # a fork's is on no branch here
    if ref in git("for-each-ref", "--format=%(refname:lstrip=3)", "refs/remotes/origin").splitlines():
        git("checkout", "--quiet", "--force", "-B", ref, commit)
    else:
        git("checkout", "--quiet", "--force", "--detach", commit)
    if step.given.get("persist-credentials", True):
        told = base64.b64encode(f"x-access-token:{step.given.get('token', step.token)}".encode()).decode()
        git("config", f"http.{step.env['GITHUB_SERVER_URL']}/.extraheader", f"AUTHORIZATION: basic {told}")
    return {"commit": commit}


def upload(step: "Step") -> dict[str, str]:
    """Keep files; their executable bits are lost, hidden files and empty folders."""
    _only(step, "name", "path", "if-no-files-found")
    paths = [step.workspace / line.strip() for line in str(step.given["path"]).splitlines()]
    found = [file for path in paths for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file()]
    found = [file for file in found if not any(part.startswith(".") for part in file.relative_to(step.workspace).parts)]
    if not found and step.given.get("if-no-files-found") == "error":
        raise Failed(f"no files found: {paths}")
    top = step.workspace if len(paths) > 1 or paths[0].is_dir() else paths[0].parent
    top = paths[0] if len(paths) == 1 and paths[0].is_dir() else top
    into = step.artifacts / str(step.given["name"])
    if into.exists() and step.run.attempt == 1:
        raise Failed(f"an artifact {step.given['name']} exists already")
    for file in found:
        target = into / file.relative_to(top)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    return {"artifact-id": "1"}


def download(step: "Step") -> dict[str, str]:
    """Bring what a job before it has kept, of this run or, by who may read them, of another."""
    _only(step, "name", "path", "run-id", "github-token")
    number = str(step.given.get("run-id") or step.run.number)
    if number != str(step.run.number):
        token = step.github.shelf.tokens.get(str(step.given.get("github-token")))
        if token is None or not token.may("actions", "read"):
            raise Failed("Resource not accessible by integration")
    source = step.artifacts.parent / number / str(step.given["name"])
    if not source.is_dir():
        raise Failed(f"there is no artifact {step.given['name']}")
    shutil.copytree(source, step.workspace / str(step.given.get("path") or ""), dirs_exist_ok=True)
    return {"download-path": str(step.workspace)}


def app_token(step: "Step") -> dict[str, str]:
    """A token of the App, for who has its key: with the rights that are asked for, and that the App has."""
    asked = {name.removeprefix("permission-"): str(step.given[name]) for name in step.given if name.startswith("perm")}
    _only(step, "client-id", "private-key", *(f"permission-{name}" for name in asked))
    if step.given.get("private-key") != step.github.app_key or step.given.get("client-id") != step.github.app:
        raise Failed("A JSON web token could not be decoded")
    if beyond := [name for name, how in asked.items() if step.github.app_permissions.get(name) not in (how, "write")]:
        raise Failed(f"The permissions requested are not granted to this installation: {beyond}")
    return {"token": step.github.shelf.issue(asked or step.github.app_permissions, "app")}


def attest(step: "Step") -> dict[str, str]:
    """Noted: who attests what; it takes an identity, the right to keep attestations, and a login at the registry."""
    _only(step, "subject-name", "subject-digest", "push-to-registry")
    for right in ("id-token", "attestations", "packages"):
        if step.permissions.get(right) != "write":
            raise Failed(f"Resource not accessible by integration: {right}")
    name, digest = str(step.given["subject-name"]), str(step.given["subject-digest"])
    if not (step.github.shelf.blobs / name.partition("/")[2] / digest).exists():
        raise Failed(f"{name} has no image {digest}")
    logins = Path(step.env["HOME"]) / ".docker/config.json"
    if not logins.exists() or name.partition("/")[0] not in logins.read_text():
        raise Failed(f"no login at {name}")
    step.github.attested.append((step.run.workflow, digest))
    return {"attestation-id": "1"}


def language(version: str, *more: str) -> Act:
    """The Python or Go of these tests is taken for the one that is asked for."""

    def act(step: "Step") -> dict[str, str]:
        _only(step, version, *more)
        return {version: str(step.given[version])}

    return act


ACTIONS: dict[str, tuple[str, Act]] = {  # the commit of a release, looked up: none is invented
    "actions/attest": ("1e69f48acb82d1966a394da916b4c1698aa569d6", attest),
    "actions/checkout": ("3d3c42e5aac5ba805825da76410c181273ba90b1", checkout),
    "actions/create-github-app-token": ("bcd2ba49218906704ab6c1aa796996da409d3eb1", app_token),
    "actions/download-artifact": ("3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c", download),
    "actions/setup-go": ("4a3601121dd01d1626a1e23e37211e3254c1c06c", language("go-version", "cache")),
    "actions/setup-python": ("5fda3b95a4ea91299a34e894583c3862153e4b97", language("python-version")),
    "actions/upload-artifact": ("bbbca2ddaa5d8feaa63e36b76fdaad77386f024f", upload),
}
