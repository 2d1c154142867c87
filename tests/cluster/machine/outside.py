"""What a cluster reaches and does not run itself: Git, the database of the ledger, Prometheus, the registry of models.

Each is a process at the node's address; `platform/outside.yaml` gives them the names of Services.
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from secrets import token_hex

import requests
import yaml
from tests.cluster.machine import git_server
from tests.cluster.machine.box import Box
from tests.cluster.machine.kubernetes import wait
from tests.cluster.machine.place import NETWORK, NODE, PODS, PREFIX, Place
from tests.cluster.machine.programs import ROOT

from slipway.errors import Broken

GIT, MLFLOW, PROMETHEUS, POSTGRES = 3000, 5001, 9090, 5432
REPOSITORY = f"http://{NODE}:{GIT}/slipway.git"
MODELS = f"http://{NODE}:{MLFLOW}"
OWNER, READER = "flights", "judge"  # of the database: the service writes, the judge only reads
RUN = "/run/slipway-postgres"
SCRAPED = {"traefik": f"{NODE}:9100"}
TRUSTED = (
    "".join(f"host all all {net} scram-sha-256\n" for net in (f"{NETWORK}/{PREFIX}", PODS)) + "local all all peer\n"
)


def start(box: Box) -> None:
    """Start all of them, empty."""
    place = box.place
    place.secrets.mkdir(mode=0o700, exist_ok=True)
    for name in ("git", OWNER, READER):
        (place.secrets / name).write_text(token_hex(24))
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(repository(place))], check=True)
    git(box)
    _mlflow(box)
    prometheus(box)
    _make_postgres(box)


def ready(place: Place) -> None:
    """Wait until each answers.

    Raises:
        Broken: one does not.

    """
    wait(_answers(f"http://{NODE}:{GIT}/slipway.git/HEAD"), "git", place)
    wait(_answers(f"http://{NODE}:{PROMETHEUS}/-/ready"), "prometheus", place)
    wait(_answers(f"{MODELS}/health"), "mlflow", place, 180)  # it imports for long


def ledger(place: Place, who: str, host: str) -> str:
    """The address of the ledger's database for one of its users."""
    return f"postgresql+psycopg://{who}:{_password(place, who)}@{host}:{POSTGRES}/flights"


def credentials(place: Place) -> str:
    """What Git's credential store holds for who may push."""
    return REPOSITORY.replace("/slipway.git", "\n").replace("://", f"://{git_server.USER}:{_password(place, 'git')}@")


def repository(place: Place) -> Path:
    """The bare repository that the cluster follows."""
    return place.state / "git" / "slipway.git"


def git(box: Box) -> None:
    """Start the Git server on the repositories that are there."""
    folder, password = repository(box.place).parent, box.place.secrets / "git"
    command = [sys.executable, "-m", git_server.__name__, str(folder), NODE, str(GIT), str(password)]
    box.start("git", command, {"PYTHONPATH": str(ROOT)})


def _mlflow(box: Box) -> None:
    folder = box.place.state / "mlflow"
    folder.mkdir()
    kept = (f"--backend-store-uri=sqlite:///{folder}/mlflow.db", f"--artifacts-destination={folder}/artifacts")
    heard = (f"--host={NODE}", f"--port={MLFLOW}", "--workers=1", f"--allowed-hosts={NODE}:{MLFLOW}")
    box.start(
        "mlflow",
        [sys.executable, "-m", "mlflow", "server", *kept, *heard],
        {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
    )


def prometheus(box: Box) -> None:
    """Start Prometheus on the samples that it has."""
    path, folder = box.place.config / "prometheus.yaml", box.place.state / "prometheus"
    jobs = [{"job_name": job, "static_configs": [{"targets": [target]}]} for job, target in SCRAPED.items()]
    path.write_text(yaml.safe_dump({"global": {"scrape_interval": "1s"}, "scrape_configs": jobs}))
    heard = f"--web.listen-address={NODE}:{PROMETHEUS}"
    box.start("prometheus", ["prometheus", f"--config.file={path}", f"--storage.tsdb.path={folder}", heard])


def postgres(box: Box) -> None:
    """Start PostgreSQL on the data that it has, and wait until it answers."""
    settings = {"listen_addresses": NODE, "port": POSTGRES, "unix_socket_directories": RUN, "fsync": "off"}
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    box.start("postgres", _postgresql("postgres", "-D", f"{RUN}/data", *options))
    wait(lambda: _run(box, _postgresql("pg_isready", "-h", RUN)), "postgres", box.place)


def _make_postgres(box: Box) -> None:
    """Debian's, as its own user: it refuses root. So its files lie where that user gets to, in the box's own /run."""
    data = f"{RUN}/data"
    _run(box, ["install", "--directory", "--owner=postgres", RUN])
    _run(box, _postgresql("initdb", "-D", data, "--auth=peer", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"))
    _run(box, ["tee", f"{data}/pg_hba.conf"], TRUSTED)
    postgres(box)
    made = [f"CREATE ROLE {who} LOGIN PASSWORD '{_password(box.place, who)}';" for who in (OWNER, READER)]
    made += [f"CREATE DATABASE flights OWNER {OWNER};", "\\connect flights"]
    made += [f"SET ROLE {OWNER};", f"ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {READER};"]
    _run(box, _postgresql("psql", "-h", RUN, "--quiet", "--set=ON_ERROR_STOP=1"), "\n".join(made))


def _postgresql(tool: str, *arguments: str) -> list[str]:
    tools = max(Path("/usr/lib/postgresql").glob("*/bin"))
    return ["runuser", "--user", "postgres", "--", str(tools / tool), *arguments]


def _run(box: Box, command: list[str], given: str = "") -> bool:
    done = subprocess.run(box.enter(*command), input=given, cwd="/", capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Broken(f"`{' '.join(command)}` failed: {done.stderr.strip()}", f"Read {box.place.logs}.")
    return True


def _password(place: Place, who: str) -> str:
    return (place.secrets / who).read_text()


def _answers(address: str) -> Callable[[], bool]:
    return lambda: requests.get(address, timeout=2).ok
