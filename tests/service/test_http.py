"""The service as a client sees it: a real BentoML process on a loopback port."""

import http.client
import json
import socket
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from tests.conftest import ROOT

from .conftest import FLIGHT

Predict = Callable[..., requests.Response]


def test_one_flight_is_answered(predict: Predict) -> None:
    """A flight gets a probability, the decision, the release that is baked in, and the model."""
    answer = predict(FLIGHT)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert 0 < body["probability"] < 1
    assert body["version"] == "1.2.3"
    assert len(body["model"]) == 12


def test_the_decision_follows_the_threshold(predict: Predict, service: str) -> None:
    """Late is said exactly from the model's threshold on."""
    threshold = requests.get(f"{service}/version", timeout=30).json()["threshold"]
    hours = [FLIGHT | {"sched_dep_time": hour * 100, "precip": rain} for hour in range(24) for rain in (0, 1)]
    answers = predict(hours).json()
    assert all(answer["late"] == (answer["probability"] >= threshold) for answer in answers)
    assert {answer["late"] for answer in answers} == {True, False}


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (FLIGHT | {"carrier": "ZZ"}, 422, "carrier is ZZ"),
        ([FLIGHT, FLIGHT | {"sched_dep_time": 1275}], 422, "Row 1: sched_dep_time is 1275"),
        (FLIGHT | {"temp": "hot"}, 422, "temp is hot"),
        (FLIGHT | {"temp": 999}, 422, "temp is 999"),
        (FLIGHT | {"dep_delay": 5}, 422, "dep_delay is not a field"),
        ({"carrier": "AA"}, 422, "is missing"),
        ([], 422, "0 flights"),
        ([FLIGHT] * 1001, 422, "1001 flights"),
        (b"", 400, "not valid JSON"),
        (b'{"date": ', 400, "not valid JSON"),
        (b"\xff\xfe", 400, "not valid JSON"),
        (b" " * ((1 << 20) + 1), 413, "larger than 1048576 bytes"),
        (b" " * 10_000_000, 413, "larger than 1048576 bytes"),
    ],
)
def test_a_wrong_request_is_told_what_is_wrong(predict: Predict, body: Any, status: int, says: str) -> None:
    """Every kind of wrong body: a status of 4xx, JSON, a sentence."""
    answer = predict(body)
    assert (answer.status_code, answer.json()["status"]) == (status, status)
    assert says in answer.json()["error"]


def test_the_largest_body_that_is_allowed_is_read(predict: Predict) -> None:
    """A body of exactly 1 MiB is not too large."""
    flight = json.dumps(FLIGHT).encode()
    assert predict(flight + b" " * ((1 << 20) - len(flight))).status_code == 200


def test_a_huge_length_is_refused_unread(service: str) -> None:
    """A body announced with 1 GB is refused before a byte of it is sent."""
    connection = http.client.HTTPConnection(urlsplit(service).netloc, timeout=30)
    connection.putrequest("POST", "/predict")
    connection.putheader("content-type", "application/json")
    connection.putheader("content-length", str(10**9))
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()


def test_a_body_without_a_length_is_bounded(service: str) -> None:
    """Chunks are counted as they come."""
    chunks = (b" " * 65536 for _ in range(40))
    headers = {"content-type": "application/json"}
    assert requests.post(f"{service}/predict", data=chunks, headers=headers, timeout=30).status_code == 413


def test_a_body_in_pieces_is_put_together(service: str) -> None:
    """A body that arrives byte group by byte group is one body."""
    body = json.dumps(FLIGHT).encode()
    with socket.create_connection((urlsplit(service).hostname, urlsplit(service).port), timeout=30) as client:
        client.sendall(b"POST /predict HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n" % len(body))
        for start in range(0, len(body), 20):
            client.sendall(body[start : start + 20])
            time.sleep(0.01)
        assert client.recv(4096).startswith(b"HTTP/1.1 200")


def test_a_client_that_leaves_harms_nobody(service: str, predict: Predict) -> None:
    """A connection that breaks within a body is forgotten."""
    with socket.create_connection((urlsplit(service).hostname, urlsplit(service).port), timeout=30) as client:
        client.sendall(b"POST /predict HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n{")
    assert predict(FLIGHT).status_code == 200


@pytest.mark.parametrize(("method", "path", "allow"), [("GET", "/predict", "POST"), ("POST", "/version", "GET, HEAD")])
def test_a_wrong_method_is_told_the_right_one(service: str, method: str, path: str, allow: str) -> None:
    """405 names what the path answers."""
    answer = requests.request(method, service + path, timeout=30)
    assert (answer.status_code, answer.headers["allow"]) == (405, allow)


def test_a_wrong_content_type_is_refused(predict: Predict) -> None:
    """Only JSON is read; a charset behind it, or another case, is no matter."""
    assert predict(FLIGHT, content_type="text/plain").status_code == 415
    assert predict(FLIGHT, content_type="Application/JSON; charset=utf-8").status_code == 200


def test_an_unknown_path_is_told_the_known_ones(service: str) -> None:
    """404 is JSON and lists the routes; BentoML's own pages, which load scripts from elsewhere, are not served."""
    for path in ("/nothing", "/static_content/index.css", "/schema.json"):
        answer = requests.get(service + path, timeout=30)
        assert answer.status_code == 404
        assert "/predict" in answer.json()["allowed"]


def test_the_page_is_served_under_a_strict_policy(service: str) -> None:
    """The page and what it loads come from here, and a browser would load nothing else and run nothing inline."""
    page = requests.get(service, timeout=30)
    assert page.status_code == 200
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    assert "http" not in policy
    assert "<style" not in page.text
    assert "style=" not in page.text
    assert "onclick" not in page.text
    for path in ("/page/page.css", "/page/page.js"):
        assert path in page.text
        part = requests.get(service + path, timeout=30)
        assert part.status_code == 200
        assert "http" not in part.text
    assert requests.head(service, timeout=30).status_code == 200


def test_choices_are_those_of_the_catalogue(service: str) -> None:
    """What /choices offers, /predict takes: every choice of every category."""
    fields = {field["field"]: field for field in requests.get(f"{service}/choices", timeout=30).json()}
    flights = [FLIGHT | {name: choice} for name, field in fields.items() for choice in field.get("choices", ())]
    assert len(flights) > 100
    assert requests.post(f"{service}/predict", json=flights, timeout=30).status_code == 200


def test_version_is_the_chain_back_to_the_data(service: str, built: Any) -> None:
    """The release, digests, commit and data as baked into the bento, whatever the environment says."""
    version = requests.get(f"{service}/version", timeout=30).json()
    bundle = json.loads((built / "src/bundle.json").read_text())
    assert version["release"] == bundle["version"]
    assert version["bento"] == f"flights:{bundle['version']}"
    for name in ("model_digest", "recipe_digest", "data_digest", "source_commit", "request_version"):
        assert version[name] == bundle[name]


@pytest.mark.parametrize("path", ["/livez", "/healthz", "/readyz", "/metrics"])
def test_probes_answer(service: str, path: str) -> None:
    """What a platform asks is answered."""
    assert requests.get(service + path, timeout=30).status_code == 200


def test_metrics_count_what_happened(service: str, predict: Predict) -> None:
    """Requests by route and status, flights by decision, refusals by reason, latency with an edge at the objective."""
    before = metrics(service)
    predict([FLIGHT] * 7)
    predict([])
    after = metrics(service)

    def grown(*names: str) -> list[float]:
        return [sum(after.get(name, 0) - before.get(name, 0) for name in names)]

    assert grown('slipway_requests_total{route="/predict",status="200"}') == [1]
    assert grown('slipway_requests_total{route="/predict",status="422"}') == [1]
    assert grown('slipway_rejected_requests_total{reason="rows"}') == [1]
    decisions = ('slipway_predictions_total{decision="late"}', 'slipway_predictions_total{decision="on_time"}')
    assert grown(*decisions) == [7]
    assert grown("slipway_predict_seconds_count") == [2]
    assert 'slipway_predict_seconds_bucket{le="0.25"}' in after


def test_the_hot_route_is_outside_bentoml(service: str, predict: Predict) -> None:
    """BentoML's middleware, which counts and names each request it sees, has not seen one to /predict."""
    answer = predict(FLIGHT)
    assert not [name for name in answer.headers if name.lower().startswith(("x-bentoml", "server"))]
    counted = [name for name in metrics(service) if name.startswith("bentoml_service_request_total")]
    assert counted
    assert not [name for name in counted if "/predict" in name]


def test_uvicorn_finds_its_fast_parts() -> None:
    """The lock of the image holds uvloop and httptools, and uvicorn takes them; without, it is half as fast."""
    from uvicorn.loops.auto import auto_loop_factory
    from uvicorn.protocols.http.auto import AutoHTTPProtocol

    assert AutoHTTPProtocol.__name__ == "HttpToolsProtocol"
    assert auto_loop_factory().__module__.startswith("uvloop")
    lock = (ROOT / "requirements" / "serving.txt").read_text()
    assert all(f"\n{name}==" in lock for name in ("uvloop", "httptools"))


def metrics(service: str) -> dict[str, float]:
    """Samples of /metrics by name and labels."""
    lines = requests.get(f"{service}/metrics", timeout=30).text.splitlines()
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line and line[0] != "#"}
