"""What the service remembers: each answered prediction and its truth, over HTTP, in a ledger on SQLite."""

import asyncio
import json
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests
from jsonschema import Draft202012Validator

import contract
import openapi
import settings
import shipper
from contract import Refused
from feedback import Feedback
from routes import Application
from slipway import identity
from slipway.adapters import bento, spool
from slipway.adapters.ledger import Ledger
from slipway.adapters.processes import free_port
from slipway.adapters.spool import Reader
from slipway.errors import Broken
from slipway.identity import Signer

from .conftest import FLIGHT
from .test_application import JSON_HEADER, body, call, silent
from .test_http import metrics

KEY, OTHER_KEY, CREDENTIAL, OTHER_CREDENTIAL = 32 * "k", 32 * "o", 32 * "c", 32 * "d"


class Remembering(NamedTuple):
    """A service with a ledger."""

    address: str
    folder: Path

    def rows(self, table: str, id_: str) -> list[dict[str, Any]]:
        """Rows of an id."""
        connection = sqlite3.connect(self.folder / "ledger.db")
        connection.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in connection.execute(f"SELECT * FROM {table} WHERE id = ?", (id_,))]  # noqa: S608
        finally:
            connection.close()

    def predict(self, content: Any) -> Any:
        """Predict one or many."""
        return requests.post(f"{self.address}/predict", json=content, timeout=30).json()

    def tell(self, content: Any, credential: str = CREDENTIAL) -> requests.Response:
        """Send a truth, or several."""
        headers = {"authorization": f"Bearer {credential}"}
        return requests.post(f"{self.address}/feedback", json=content, headers=headers, timeout=30)


def configured(folder: Path) -> dict[str, str]:
    """Write the secrets of a service into a folder; returns its variables."""
    (folder / "secrets").mkdir()
    (folder / "spool").mkdir()
    texts = {
        "url": f"sqlite:///{folder / 'ledger.db'}\n",
        "keys": f"{KEY}\n{OTHER_KEY}\n",
        "credentials": f"{CREDENTIAL}\n{OTHER_CREDENTIAL}\n",
    }
    for name, text in texts.items():
        (folder / "secrets" / name).write_text(text)
    return {
        "SLIPWAY_LEDGER": str(folder / "secrets"),
        "SLIPWAY_SPOOL": str(folder / "spool"),
        "SLIPWAY_ENVIRONMENT": "staging",
        "SLIPWAY_POD": "6d4cf56db6",
    }


@pytest.fixture(scope="module")
def remembering(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remembering]:
    """A served bento with a ledger."""
    folder = tmp_path_factory.mktemp("remembering")
    with bento.serving(built, free_port(), **configured(folder)) as address:
        yield Remembering(address, folder)


@pytest.fixture(scope="module")
def id_(remembering: Remembering) -> str:
    """A prediction whose truth nobody tells; only what must be refused is said of it."""
    return str(remembering.predict(FLIGHT)["id"])


def eventually(holds: Callable[[], Any]) -> Any:
    """Wait until something holds; what it is then."""
    deadline = time.monotonic() + 30
    while not (found := holds()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def signed(key: str = KEY, environment: str = "staging", ahead: float = 0) -> str:
    """An id of another process."""
    process = Signer(key.encode(), environment, "1.2.3", "6d4cf56db6", bytes(identity.NONCE_BYTES))
    return process.ids(int((time.time() + ahead) * 1e9), [0.5])[0]


def test_a_prediction_and_its_truth_reach_the_ledger(remembering: Remembering) -> None:
    """The request as it was sent, the answer, and a truth told once: one row in each table."""
    before = time.time()
    answer = remembering.predict(FLIGHT)
    told = remembering.tell({"id": answer["id"], "late": True, "rating": 4})
    assert (told.status_code, told.json()) == (200, {"id": answer["id"], "status": 200, "result": "stored"})

    (prediction,) = eventually(lambda: remembering.rows("predictions", answer["id"]))
    assert json.loads(prediction["features"]) == FLIGHT
    assert prediction["score"] == answer["probability"]
    assert bool(prediction["decision"]) == answer["late"]
    assert (prediction["environment"], prediction["release"], prediction["pod"]) == ("staging", "1.2.3", "6d4cf56db6")
    assert before <= prediction["at"] <= time.time()
    (outcome,) = remembering.rows("outcomes", answer["id"])
    assert (outcome["truth"], outcome["rating"], outcome["call"]) == (1.0, 4, prediction["call"])
    assert prediction["at"] <= outcome["received_at"] <= time.time()


def test_the_rows_of_a_call_share_it(remembering: Remembering) -> None:
    """An array written over many lines: each row has its own id and features, all have one call and one time."""
    flights = [FLIGHT | {"temp": temp} for temp in range(20)]
    content = json.dumps(flights, indent=2).encode()
    headers = {"content-type": "application/json"}
    answers = requests.post(f"{remembering.address}/predict", data=content, headers=headers, timeout=30).json()
    eventually(lambda: remembering.rows("predictions", answers[-1]["id"]))
    rows = [row for answer in answers for row in remembering.rows("predictions", answer["id"])]
    assert [json.loads(row["features"]) for row in rows] == flights
    assert [row["score"] for row in rows] == [answer["probability"] for answer in answers]
    assert len({(row["call"], row["at"]) for row in rows}) == 1


def test_a_truth_is_taken_once(remembering: Remembering) -> None:
    """The same again changes nothing; another one is a conflict, is counted, and the first one stays."""
    id_ = remembering.predict(FLIGHT)["id"]
    before = metrics(remembering.address)
    told = [remembering.tell({"id": id_, "late": late}) for late in (False, False, True, False)]
    assert [each.status_code for each in told] == [200, 200, 409, 200]
    assert [each.json()["result"] for each in told] == ["stored", "same", "conflict", "same"]
    assert [row["truth"] for row in remembering.rows("outcomes", id_)] == [0.0]
    assert [row["truth"] for row in remembering.rows("restatements", id_)] == [1.0]
    assert grown(remembering, before) == {"stored": 1, "same": 2, "conflict": 1}


def test_many_truths_are_answered_one_by_one(remembering: Remembering) -> None:
    """What can be taken is taken, whatever stands beside it; if all is taken the status is 200, else 207."""
    ids = [answer["id"] for answer in remembering.predict([FLIGHT] * 3)]
    remembering.tell({"id": ids[0], "late": True})
    foreign = signed(environment="production")
    mixed = remembering.tell([{"id": each, "late": False} for each in (*ids, ids[2], foreign, "x")])
    assert mixed.status_code == 207
    receipts = [(receipt["id"], receipt["status"], receipt["result"]) for receipt in mixed.json()]
    assert receipts == [
        (ids[0], 409, "conflict"),
        (ids[1], 200, "stored"),
        (ids[2], 200, "stored"),
        (ids[2], 200, "same"),
        (foreign, 403, "foreign"),
        ("x", 422, "malformed"),
    ]
    assert remembering.rows("outcomes", foreign) == []
    whole = remembering.tell([{"id": each, "late": False} for each in ids[1:]])
    assert (whole.status_code, [receipt["result"] for receipt in whole.json()]) == (200, ["same", "same"])
    validator("Receipt").validate(mixed.json()[0])


@pytest.mark.parametrize(
    ("made", "status", "result"),
    [
        (lambda _: signed(key=32 * "x"), 403, "key"),
        (lambda id_: id_[:-1] + ("A" if id_[-1] != "A" else "B"), 403, "forged"),
        (lambda id_: id_.replace("1.2.3", "1.2.4"), 403, "forged"),
        (lambda _: signed(environment="production"), 403, "foreign"),
        (lambda _: signed(ahead=3600), 422, "future"),
        (lambda id_: id_ + "A", 422, "malformed"),
        (lambda _: "", 422, "malformed"),
    ],
)
def test_an_id_that_is_not_ours_is_refused(
    remembering: Remembering, id_: str, made: Callable[[str], str], status: int, result: str
) -> None:
    """Forged, foreign or no id at all: 4xx with a sentence, counted by its reason, and nothing is stored."""
    before, other = metrics(remembering.address), made(id_)
    told = remembering.tell({"id": other, "late": True})
    assert (told.status_code, told.json()["result"]) == (status, result)
    assert told.json()["error"].endswith(".")
    assert grown(remembering, before) == {result: 1}
    assert remembering.rows("outcomes", other) == []
    validator("Receipt").validate(told.json())


def test_keys_and_credentials_can_be_changed(remembering: Remembering) -> None:
    """While two stand in the file, ids of either key and holders of either credential are let in."""
    told = remembering.tell({"id": signed(key=OTHER_KEY), "late": True}, credential=OTHER_CREDENTIAL)
    assert (told.status_code, told.json()["result"]) == (200, "stored")


@pytest.mark.parametrize(
    "header",
    [None, "Bearer", "Bearer ", f"Bearer {CREDENTIAL[:-1]}", f"Bearer {CREDENTIAL}c", f"Basic {CREDENTIAL}", "é"],
)
def test_who_has_no_credential_is_not_heard(remembering: Remembering, id_: str, header: str | None) -> None:
    """401, counted, and nothing is stored; the body is not looked at."""
    before = metrics(remembering.address)
    headers = {"content-type": "application/json"} | ({"authorization": header.encode()} if header else {})
    for content in (json.dumps({"id": id_, "late": True}).encode(), b"no JSON"):
        told = requests.post(f"{remembering.address}/feedback", data=content, headers=headers, timeout=30)
        assert (told.status_code, told.headers["www-authenticate"]) == (401, "Bearer")
        validator("Problem").validate(told.json())
    refused = 'slipway_rejected_requests_total{reason="credential"}'
    assert metrics(remembering.address)[refused] - before.get(refused, 0) == 2
    assert remembering.rows("outcomes", id_) == []


@pytest.mark.parametrize(
    ("content", "status"),
    [
        ({"late": True}, 422),
        ({"id": "x"}, 422),
        ({"id": "x", "late": 1}, 422),
        ({"id": "x", "late": None}, 422),
        ({"id": 3, "late": True}, 422),
        ({"id": 513 * "x", "late": True}, 422),
        ({"id": "x", "late": True, "rating": 0}, 422),
        ({"id": "x", "late": True, "rating": 6}, 422),
        ({"id": "x", "late": True, "rating": 2.5}, 422),
        ({"id": "x", "late": True, "why": "x"}, 422),
        ([], 422),
        ([{"id": "x", "late": True}] * 1001, 422),
        ("x", 422),
        (b"", 400),
        (b"\xff", 400),
        (b" " * ((1 << 20) + 1), 413),
    ],
)
def test_a_truth_is_held_to_its_contract(remembering: Remembering, content: Any, status: int) -> None:
    """A body that is none is refused as a whole, in a sentence, before anything is stored."""
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    headers = {"content-type": "application/json", "authorization": f"Bearer {CREDENTIAL}"}
    told = requests.post(f"{remembering.address}/feedback", data=data, headers=headers, timeout=30)
    assert told.status_code == status
    validator("Problem").validate(told.json())
    if not isinstance(content, bytes) and not isinstance(content, list):
        assert not validator("Truth").is_valid(content)


def test_the_documented_truth_is_taken(remembering: Remembering) -> None:
    """What the document calls a truth is one; a prediction of this service is a documented one, id and all."""
    validator("Truth").validate({"id": "x", "late": True, "rating": 5})
    assert len(contract.decode_truths(b'{"id": "x", "late": true, "rating": null}')[0]) == 1
    validator("Prediction").validate(remembering.predict(FLIGHT))


@pytest.mark.parametrize(("method", "kind", "status"), [("GET", "application/json", 405), ("POST", "text/plain", 415)])
def test_the_head_of_a_truth_is_checked(remembering: Remembering, method: str, kind: str, status: int) -> None:
    """As that of a prediction is."""
    headers = {"content-type": kind, "authorization": f"Bearer {CREDENTIAL}"}
    assert (
        requests.request(method, f"{remembering.address}/feedback", headers=headers, timeout=30).status_code == status
    )


def test_the_spool_shows_in_the_metrics(remembering: Remembering) -> None:
    """What waits on the disk is measured when it is asked for."""
    remembering.predict(FLIGHT)
    waiting = sum(path.stat().st_size for path in (remembering.folder / "spool").iterdir())
    assert metrics(remembering.address)["slipway_spool_bytes"] >= waiting > 0


def test_without_a_ledger_nothing_is_promised(service: str) -> None:
    """`truth: none`: predictions have no id, and /feedback says that there is nothing to tell."""
    assert "id" not in requests.post(f"{service}/predict", json=FLIGHT, timeout=30).json()
    told = requests.post(f"{service}/feedback", json={"id": "x", "late": True}, timeout=30)
    assert (told.status_code, told.json()["reason"]) == (503, "no-ledger")


def test_a_service_outlives_its_database(built: Path, tmp_path: Path) -> None:
    """No database: predictions are answered and wait, a truth is refused and to be sent again; then all arrives."""
    variables = configured(tmp_path)
    (tmp_path / "secrets/url").write_text(f"sqlite:///{tmp_path / 'later' / 'ledger.db'}")
    with bento.serving(built, free_port(), **variables) as address:
        world = Remembering(address, tmp_path / "later")
        answer = world.predict(FLIGHT)
        told = world.tell({"id": answer["id"], "late": True})
        assert (told.status_code, told.json()["reason"], told.headers["retry-after"]) == (503, "ledger", "5")
        assert requests.get(f"{address}/readyz", timeout=30).status_code == 200
        (tmp_path / "later").mkdir()
        assert world.tell({"id": answer["id"], "late": True}).json()["result"] == "stored"
    assert len(world.rows("predictions", answer["id"])) == 1  # the shipper ended last
    assert list((tmp_path / "spool").iterdir()) == []


@pytest.fixture
def remembers(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Application:
    """An application in this process, with a spool and a ledger in the test's folder."""
    for name, value in configured(tmp_path).items():
        monkeypatch.setenv(name, value)
    return opened(built)


def opened(built: Path) -> Application:
    """An application after start-up."""
    made = Application(silent, built / "src")
    asyncio.run(made({"type": "lifespan"}, silent, silent))
    return made


def ask(application: Application, path: str = "/predict") -> tuple[int, Any]:
    """Send the flight."""
    return asyncio.run(call(application, body(json.dumps(FLIGHT).encode()), path=path))


def test_a_prediction_is_kept_before_it_is_answered(remembers: Application, tmp_path: Path) -> None:
    """When the first byte of the answer is sent, its line is on the disk: whole, with the same id."""
    (file,) = (tmp_path / "spool").iterdir()
    on_disk: list[bytes] = []
    answered: list[Any] = []

    async def send(message: Any) -> None:
        on_disk.append(file.read_bytes())
        answered.append(message)

    async def receive() -> Any:
        return body(json.dumps(FLIGHT).encode())

    scope = {"type": "http", "path": "/predict", "method": "POST", "headers": [JSON_HEADER]}
    asyncio.run(remembers(scope, receive, send))
    (line,) = on_disk[0].splitlines()
    (prediction,) = shipper.predictions(line)
    assert prediction.origin.id == json.loads(answered[1]["body"])["id"]
    assert json.loads(bytes(prediction.features)) == FLIGHT


def test_a_prediction_that_cannot_be_kept_is_not_made(remembers: Application, tmp_path: Path) -> None:
    """While the spool is full: 503, not ready. When a shipper has made room the service is ready again by itself."""
    remembers._spool = spool.Writer(tmp_path / "spool", "small", segment=1, limit=1000)
    answers = [ask(remembers) for _ in range(5)]
    assert (answers[0][0], answers[-1][0], answers[-1][1]["reason"]) == (200, 503, "spool")
    assert ask(remembers, "/readyz")[1]["reason"] == "spool"
    for _ in Reader(tmp_path / "spool").batches():
        pass
    assert remembers._spool.problem() == ""
    assert ask(remembers)[0] == 200


def test_a_broken_ledger_takes_nothing_of_a_request(remembers: Application, tmp_path: Path) -> None:
    """A table that is gone: 503 to all of it; when the ledger is mended the same request is stored whole."""
    ids = [signed(), signed()]
    content = json.dumps([{"id": each, "late": True} for each in ids]).encode()
    headers = [JSON_HEADER, (b"authorization", f"bearer  {CREDENTIAL}".encode())]
    Ledger(f"sqlite:///{tmp_path / 'ledger.db'}").close()
    with sqlite3.connect(tmp_path / "ledger.db") as database:
        database.execute("ALTER TABLE outcomes RENAME TO away")
    status, answer = asyncio.run(call(remembers, body(content), path="/feedback", headers=headers))
    assert (status, answer["reason"]) == (503, "ledger")
    with sqlite3.connect(tmp_path / "ledger.db") as database:
        assert database.execute("SELECT count(*) FROM away").fetchone() == (0,)
        database.execute("ALTER TABLE away RENAME TO outcomes")
    status, answer = asyncio.run(call(remembers, body(content), path="/feedback", headers=headers))
    assert (status, [receipt["result"] for receipt in answer]) == (200, ["stored", "stored"])


def test_a_slow_ledger_is_not_waited_for(remembers: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the deadline 503, while predictions go on; beyond the limit of those that wait, 503 at once."""
    monkeypatch.setattr("feedback.STORE_SECONDS", 0.05)
    monkeypatch.setattr("feedback.MAX_STORING", 1)
    answers_at_last = threading.Event()
    monkeypatch.setattr(Feedback, "_record", lambda *_: answers_at_last.wait(30))
    headers = [JSON_HEADER, (b"authorization", f"Bearer {CREDENTIAL}".encode())]
    truth = body(json.dumps({"id": signed(), "late": True}).encode())

    async def both() -> list[Any]:
        answers = [await call(remembers, truth, path="/feedback", headers=headers) for _ in range(2)]
        answers.append(await call(remembers, body(json.dumps(FLIGHT).encode())))
        answers_at_last.set()
        return answers

    (first, second, third) = asyncio.run(both())
    assert [first[0], second[0], third[0]] == [503, 503, 200]
    assert (first[1]["reason"], second[1]["reason"]) == ("ledger", "busy")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"SLIPWAY_SPOOL": ""}, "without SLIPWAY_SPOOL"),
        ({"SLIPWAY_LEDGER": "", "SLIPWAY_POD": ""}, "without SLIPWAY_LEDGER, SLIPWAY_POD"),
        ({"SLIPWAY_LEDGER": "/nowhere"}, "url in SLIPWAY_LEDGER cannot be read"),
        ({"SLIPWAY_POD": "a~b"}, "the pod 'a~b'"),
        ({"keys": ""}, "keys in SLIPWAY_LEDGER has 0 lines"),
        ({"keys": None}, "keys in SLIPWAY_LEDGER cannot be read"),
        ({"keys": "secret"}, "a line of keys is not 32 to 64 bytes long"),
        ({"keys": 65 * "s"}, "a line of keys is not 32 to 64 bytes long"),
        ({"credentials": f"{32 * 'a'}\n{32 * 'b'}\n{32 * 'c'}"}, "credentials in SLIPWAY_LEDGER has 3 lines"),
        ({"credentials": "secret"}, "a line of credentials"),
        ({"url": ""}, "url in SLIPWAY_LEDGER has 0 lines"),
    ],
)
def test_half_a_configuration_is_not_ready(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, str | None], says: str
) -> None:
    """What is missing or wrong is named, without the secret; nothing is predicted, as nobody could tell its truth."""
    variables = configured(tmp_path)
    for name, value in change.items():
        if name in variables:
            variables[name] = str(value)
        elif value is None:
            (tmp_path / "secrets" / name).unlink()
        else:
            (tmp_path / "secrets" / name).write_text(value)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    application = opened(built)
    for path in ("/predict", "/feedback"):
        status, answer = ask(application, path)
        assert (status, answer["reason"]) == (503, "not-ready")
        assert says in answer["error"]
        assert "secret" not in answer["error"]
        assert 32 * "a" not in answer["error"]


def test_no_configuration_is_a_mode() -> None:
    """None of the four variables: no settings, and no error."""
    assert settings.read({"SLIPWAY_RELEASE": "1.0.0"}) is None


def test_a_secret_is_never_printed(tmp_path: Path) -> None:
    """Neither keys nor credentials nor the address, in which a password may stand, reach a log with the settings."""
    shown = repr(settings.read(configured(tmp_path)))
    assert "6d4cf56db6" in shown
    assert not [secret for secret in (KEY, CREDENTIAL, "sqlite") if secret in shown]


def test_the_shipper_keeps_what_it_cannot_ship(remembers: Application, tmp_path: Path) -> None:
    """An error of the ledger leaves the spool as it is; the same ships later, once, whoever tries twice."""
    for _ in range(3):
        assert ask(remembers)[0] == 200
    ledger, reader = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}"), Reader(tmp_path / "spool")
    with sqlite3.connect(tmp_path / "ledger.db") as database:
        database.execute("ALTER TABLE predictions RENAME TO away")
    with pytest.raises(Broken):
        shipper.ship(reader, ledger)
    with sqlite3.connect(tmp_path / "ledger.db") as database:
        database.execute("ALTER TABLE away RENAME TO predictions")
    assert [shipper.ship(each, ledger) for each in (reader, reader, Reader(tmp_path / "spool"))] == [3, 0, 0]


def test_the_shipper_passes_what_cannot_be_read(
    remembers: Application, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A line that no service wrote is said and left out; those around it ship."""
    ledger, writer = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}"), spool.Writer(tmp_path / "spool", "other")
    good = b'{"answer":{"id":"%b","late":true},"request":{}}\n'
    for line in (good % signed().encode(), b"\0\0\n", b"{}\n", good % b"x", good % signed().encode()):
        writer.append(line)
    with caplog.at_level(logging.ERROR):
        assert shipper.ship(Reader(tmp_path / "spool"), ledger) == 2
    assert len(caplog.records) == 3


def test_the_shipper_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a configuration, or with half of one, it ends with code 2 and a sentence."""
    assert shipper.main() == 2
    monkeypatch.setenv("SLIPWAY_SPOOL", str(tmp_path))
    assert shipper.main() == 2
    monkeypatch.setenv("SLIPWAY_LEDGER", str(tmp_path))
    assert shipper.main() == 2
    said = ["there is no ledger", "there is no ledger", "url in SLIPWAY_LED"]
    assert [record.message[:18] for record in caplog.records] == said


def test_a_refused_contract_is_in_words() -> None:
    """The refusal of a truth says what to send."""
    with pytest.raises(Refused, match="Send id, late, and rating"):
        contract.decode_truths(b"{}")


def validator(name: str) -> Draft202012Validator:
    """Validator of a component of the OpenAPI document."""
    document = openapi.document()
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": document["components"]})


def grown(world: Remembering, before: dict[str, float]) -> dict[str, float]:
    """What the counter of truths has counted since, by result."""
    counted = {name: value - before.get(name, 0) for name, value in metrics(world.address).items()}
    return {
        name.split('"')[1]: count
        for name, count in counted.items()
        if name.startswith("slipway_feedback_total") and count
    }
