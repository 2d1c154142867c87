"""Requests to one registry: who we are, what we may, what to do when it is busy or says no."""

import base64
from typing import Any
from urllib.parse import urljoin, urlsplit
from urllib.request import parse_http_list, parse_keqv_list

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from slipway.adapters.registry import login
from slipway.errors import Broken
from slipway.reference import is_loopback

BUSY = Retry(
    total=3, backoff_factor=0.5, status_forcelist=(429, 502, 503, 504), allowed_methods=None, raise_on_status=False
)
SECONDS = (10, 120)  # to connect, to wait for bytes


class Client:
    """Speaks to one registry, with the rights in `scopes` and no others."""

    def __init__(self, host: str, *scopes: str) -> None:
        self._host, self._scopes = host, scopes
        self._base = f"{'http' if is_loopback(host) else 'https'}://{host}/v2/"
        self._session = requests.Session()
        self._session.trust_env = not is_loopback(host)
        self._session.auth = self._sign
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=BUSY))
        self._authorization: str | None = None

    def call(self, method: str, path: str, *, ok: tuple[int, ...], **options: Any) -> requests.Response:  # noqa: ANN401
        """Send one request; `path` is below /v2/, or the address of an upload."""
        url = urljoin(self._base, path)
        answer = self._send(method, url, **options)
        if answer.status_code == 401 and "WWW-Authenticate" in answer.headers:
            self._authorization = self._answer(answer.headers["WWW-Authenticate"])
            answer = self._send(method, url, **options)
        if answer.status_code in ok:
            return answer
        remedy = "Try again later."
        if answer.status_code in {401, 403}:
            remedy = "Log in to the registry with an account that has the right, see docs/runtime-image.md."
        elif answer.status_code < 500:
            remedy = "Check the name of the repository, and that its registry speaks the OCI distribution protocol."
        raise Broken(f"{self._host} answered {answer.status_code} to {method} {path}: {answer.text[:200]!r}", remedy)

    def _send(self, method: str, url: str, **options: Any) -> requests.Response:  # noqa: ANN401
        parts = urlsplit(url)
        if parts.scheme != "https" and not is_loopback(parts.netloc):
            raise Broken(f"{self._host} asks for plain http to {parts.netloc}", "Use a registry that speaks https.")
        try:
            return self._session.request(method, url, timeout=SECONDS, **options)
        except requests.RequestException as error:
            raise Broken(f"{self._host} gave no answer: {error}", "Check its name and the network.") from error

    def _sign(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._authorization and urlsplit(request.url or "").netloc == self._host:
            request.headers["Authorization"] = self._authorization
        return request

    def _answer(self, challenge: str) -> str | None:
        kind, _, rest = challenge.partition(" ")
        who = login.find(self._host)
        if kind.lower() == "basic":
            return f"Basic {base64.b64encode(':'.join(who).encode()).decode()}" if who else None
        asked = parse_keqv_list(parse_http_list(rest))
        params = [("service", asked.get("service", "")), *(("scope", scope) for scope in self._scopes)]
        answer = self._send("GET", asked.get("realm", ""), params=params, auth=who)
        try:
            token = answer.json() if answer.ok else {}
            return f"Bearer {token.get('token') or token['access_token']}"
        except (ValueError, KeyError, AttributeError):
            return None
