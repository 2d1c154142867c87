"""How fast a prediction is served, beside what else could serve it: the same model and flight, in the same run.

Each server has core 0, the generator core 1; servers run together and rounds are interleaved, so that a noisy minute
hits all of them. Prints a Markdown table and writes it into docs/benchmarks.md. Needs two cores that nobody else uses.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
import polars as pl
from fresh import MODEL, ROOT, fresh_bento, publish, real_flights, requests_of

from slipway import features, model
from slipway.adapters import files
from slipway.quiet import DETERMINISTIC, SILENT
from slipway.records import ModelInfo

HERE = Path(__file__).parent
CONNECTIONS = 8
OURS, BARE, FASTAPI, MLFLOW = (
    "Slipway",
    "bare uvicorn + msgspec + ONNX",
    "FastAPI + scikit-learn + pandas",
    "MLflow serve",
)
TARGETS = ((BARE, 0.65), (FASTAPI, 20), (MLFLOW, 40))  # Slipway's rate, at least so many times the other's
HALF_LOAD_P99_MS = 5.0


@dataclass
class Server:
    """One way to serve, and what was measured of it, round by round."""

    name: str
    port: int
    command: tuple[str, ...]  # of `python -m`
    path: str
    body: bytes
    rounds: list[dict[str, Any]] = field(default_factory=list)

    def rate(self, number: int) -> float:
        """Right answers in a second of round `number`."""
        measured = self.rounds[number]
        return float(measured["per_second"]) * measured["statuses"].get("200", 0) / sum(measured["statuses"].values())

    def middle(self, key: str) -> float:
        """Median of a measure over the rounds."""
        return statistics.median(measured[key] for measured in self.rounds)


def main() -> None:
    """Start all, warm them up, measure them in turn, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    args = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="slipway-bench-")))
        listed = servers(stack.enter_context(fresh_bento()), folder)
        for server in listed:
            start(server, folder, stack)
        agree(listed)
        for _ in range(args.rounds):
            for server in listed:
                server.rounds.append(load(server, folder, args.seconds))
                print(f"{server.name}: {server.rate(-1):.0f}/s", file=sys.stderr)
        rate = listed[0].middle("per_second") / 2
        half = load(listed[0], folder, max(args.seconds, 5), rate=rate)
    publish("serving", report(listed, half, rate))


def servers(made: Path, folder: Path) -> list[Server]:
    """Describe each way to serve the model; MLflow takes the features, as its server cannot make them."""
    refit(folder)
    rows = real_flights(1)
    flight = requests_of(rows)[0]
    row = [None if math.isnan(value) else value for value in features.matrix(rows)[0].tolist()]
    one, wrapped = json.dumps(flight).encode(), json.dumps({"flight": flight}).encode()
    split = json.dumps({"dataframe_split": {"columns": features.NAMES, "data": [row]}}).encode()
    peers = str(HERE / "peers")
    uvicorn = ("uvicorn", "--no-access-log", "--log-level", "warning", "--app-dir", peers, "--port")
    bentoml = ("bentoml", "serve", "--host", "127.0.0.1", "--port")
    mlflow = ("mlflow", "models", "serve", "--env-manager", "local", "--model-uri", str(folder / "mlflow"), "--port")
    return [
        Server(OURS, 4101, (*bentoml, "4101", str(made)), "/predict", one),
        Server(BARE, 4102, (*uvicorn, "4102", "bare:app"), "/predict", one),
        Server(
            "BentoML `@api` + ONNX",
            4103,
            (*bentoml, "4103", "bento_api:Documented", "--working-dir", peers),
            "/predict",
            wrapped,
        ),
        Server(FASTAPI, 4104, (*uvicorn, "4104", "fastapi_pandas:app"), "/predict", one),
        Server(MLFLOW, 4105, (*mlflow, "4105"), "/invocations", split),
    ]


def refit(folder: Path) -> None:
    """Fit the estimator that the model was converted from, for the servers that want scikit-learn."""
    import mlflow.sklearn
    from mlflow.models import infer_signature

    info = files.read_record(ModelInfo, MODEL / "model.json")
    train = pl.read_parquet(ROOT / "artifacts" / "splits" / "train.parquet")
    frame = pd.DataFrame(features.matrix(train).astype(float), columns=list(features.NAMES))
    candidate = model.candidates(files.read_params(ROOT / "params.yaml").train)[info.estimator]
    fitted = candidate.fit(frame, train["late"].to_numpy())
    joblib.dump(fitted, folder / "model.joblib")
    (folder / "model.onnx").write_bytes((MODEL / "model.onnx").read_bytes())
    mlflow.sklearn.save_model(
        fitted,
        str(folder / "mlflow"),
        signature=infer_signature(frame.head()),
        pip_requirements=["scikit-learn"],
        pyfunc_predict_fn="predict_proba",
        serialization_format="cloudpickle",
    )


def start(server: Server, folder: Path, stack: ExitStack) -> None:
    """Start a server on core 0 and wait until it answers the request."""
    home = folder / f"home-{server.port}"
    home.mkdir()
    variables = {"BENTOML_HOME": str(home), "BENCH_MODEL": str(folder), "PYTHONPATH": str(ROOT / "src")}
    variables |= ledger(folder) if server.name == OURS else {}
    process = subprocess.Popen(
        [sys.executable, "-m", *server.command],
        env=os.environ | SILENT | DETERMINISTIC | variables,
        stdout=subprocess.DEVNULL,
        stderr=(folder / "log").open("ab"),
        start_new_session=True,
        preexec_fn=on_core_0,  # noqa: PLW1509  # this process has one thread
    )
    stack.callback(end, process)
    deadline = time.monotonic() + 90
    while ask(server) is None:
        if process.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"{server.name} does not answer: {(folder / 'log').read_text(errors='replace')[-2000:]}")
        time.sleep(0.2)


def ledger(folder: Path) -> dict[str, str]:
    """Let ours sign and spool what it answers. Nobody ships it: in a pod that is another container's processor."""
    secrets, spool = folder / "secrets", folder / "spool"
    secrets.mkdir()
    spool.mkdir()
    for name, text in {"url": f"sqlite:///{folder / 'ledger.db'}", "keys": 32 * "k", "credentials": 32 * "c"}.items():
        (secrets / name).write_text(text)
    named = {"LEDGER": str(secrets), "SPOOL": str(spool), "ENVIRONMENT": "production", "POD": "6d4cf56db6"}
    return {f"SLIPWAY_{name}": value for name, value in named.items()}


def on_core_0() -> None:
    """Keep a process on one core, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {0})


def end(process: "subprocess.Popen[bytes]") -> None:
    """Stop a server and what it started."""
    os.killpg(process.pid, 15)
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        process.wait()


def ask(server: Server) -> Any:  # noqa: ANN401  # each server's own answer
    """Send the request once; None when there is no answer of 200."""
    url, headers = f"http://127.0.0.1:{server.port}{server.path}", {"content-type": "application/json"}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, server.body, headers), timeout=10) as response:
            return json.loads(response.read())
    except (urllib.error.URLError, ConnectionError):
        return None


def agree(listed: list[Server]) -> None:
    """Stop unless all servers say the same probability of the same flight."""
    said = {server.name: probability(ask(server)) for server in listed}
    if max(said.values()) - min(said.values()) > 1e-5:
        sys.exit(f"the servers disagree: {said}")


def probability(answer: Any) -> float:  # noqa: ANN401  # each server's own answer
    """Find the probability in an answer."""
    return float(answer["predictions"][0][1] if "predictions" in answer else answer["probability"])


def load(server: Server, folder: Path, seconds: float, rate: float | None = None) -> dict[str, Any]:
    """Run the generator once."""
    (folder / "body").write_bytes(server.body)
    command = [sys.executable, str(HERE / "generator.py"), str(server.port), server.path, str(folder / "body")]
    options = ["--seconds", str(seconds), "--connections", str(CONNECTIONS), *(["--rate", str(rate)] if rate else [])]
    result: dict[str, Any] = json.loads(subprocess.check_output([*command, *options]))
    return result


def report(listed: list[Server], half: Mapping[str, Any], rate: float) -> str:
    """Render the table and what was asked of it."""
    bare = next(server for server in listed if server.name == BARE)
    lines = [
        "| server | predictions/s | of bare (lowest to highest round) | p50 | p99 | statuses | generator idle |",
        "|---|--:|--:|--:|--:|---|--:|",
    ]
    for server in listed:
        ratios = sorted(server.rate(n) / bare.rate(n) for n in range(len(server.rounds)))
        statuses: dict[str, int] = {}
        for measured in server.rounds:
            statuses |= {status: statuses.get(status, 0) + count for status, count in measured["statuses"].items()}
        counted = ", ".join(f"{status}: {count:,}" for status, count in sorted(statuses.items()))
        lines.append(
            f"| {server.name} | {server.middle('per_second'):,.0f} | {statistics.median(ratios):.3f} "
            f"({ratios[0]:.3f} to {ratios[-1]:.3f}) | {server.middle('p50_ms'):.2f} ms "
            f"| {server.middle('p99_ms'):.2f} ms | {counted} | {server.middle('idle'):.0%} |"
        )
    lines += ["", *verdicts(listed), half_load(half, rate)]
    return "\n".join(lines)


def verdicts(listed: list[Server]) -> list[str]:
    """Compare with the targets: the median over rounds of the ratio within a round."""
    ours, rows = listed[0], []
    for name, least in TARGETS:
        other = next(server for server in listed if server.name == name)
        ratio = statistics.median(ours.rate(n) / other.rate(n) for n in range(len(ours.rounds)))
        rows.append(f"- {OURS} / {name}: **{ratio:.2f}**, target {least:g}: {'met' if ratio >= least else 'missed'}")
    return rows


def half_load(half: Mapping[str, Any], rate: float) -> str:
    """Say what a client waits at half the capacity, with requests at fixed times."""
    met = "met" if half["p99_ms"] <= HALF_LOAD_P99_MS and set(half["statuses"]) == {"200"} else "missed"
    return (
        f"- {OURS} at half load ({rate:,.0f}/s at fixed times): p50 {half['p50_ms']:.2f} ms, "
        f"p99 **{half['p99_ms']:.2f} ms**, target {HALF_LOAD_P99_MS:g} ms: {met} "
        f"(statuses {dict(half['statuses'])}, generator idle {half['idle']:.0%})"
    )


if __name__ == "__main__":
    main()
