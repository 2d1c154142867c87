"""Where a registry's login comes from."""

import base64
import json
from pathlib import Path

import pytest

from slipway.adapters.registry import login
from slipway.errors import Broken


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Begin without a login, with the configuration in a folder of the test."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    for name in (login.REGISTRY, login.USERNAME, login.PASSWORD):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_no_file_is_nobody() -> None:
    """Without a configuration file we go as nobody in particular."""
    assert login.find("registry.example.org") is None


def test_a_login_is_for_one_host(folder: Path) -> None:
    """The password of one registry is not sent to another; a colon may be in the password."""
    auth = base64.b64encode(b"me:pass:word").decode()
    (folder / "config.json").write_text(json.dumps({"auths": {"registry.example.org": {"auth": auth}, "other": {}}}))
    assert login.find("registry.example.org") == ("me", "pass:word")
    assert login.find("other") is None
    assert login.find("example.org") is None


def test_the_environment_wins(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables together go before the file, for the host that they name alone; one missing, they do not count."""
    auth = base64.b64encode(b"me:word").decode()
    (folder / "config.json").write_text(json.dumps({"auths": {"registry.example.org": {"auth": auth}}}))
    monkeypatch.setenv(login.USERNAME, "ci")
    assert login.find("registry.example.org") == ("me", "word")
    monkeypatch.setenv(login.PASSWORD, "secret")
    assert login.find("registry.example.org") == ("me", "word")
    monkeypatch.setenv(login.REGISTRY, "registry.example.org")
    assert login.find("other.example.org") is None
    assert login.find("registry.example.org") == ("ci", "secret")


@pytest.mark.parametrize("text", ["{", "[]", '{"auths": {"r.example.org": {"auth": "%%%"}}}', '{"auths": []}'])
def test_an_unreadable_file_is_said(folder: Path, text: str) -> None:
    """A configuration file that cannot be understood is an error that names it, and never its content."""
    (folder / "config.json").write_text(text)
    with pytest.raises(Broken, match=r"config\.json holds no readable login"):
        login.find("r.example.org")
