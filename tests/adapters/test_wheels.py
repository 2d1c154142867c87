"""What of a lock is not what is installed here, and whose certificates pip takes."""

import os
from importlib.metadata import version

import pytest

from slipway.adapters import wheels

HASHED = " \\\n    --hash=sha256:00\n"


def test_other_versions_and_absent_packages_are_named() -> None:
    """However a name is spelt; what this platform does not need is passed over."""
    here = version("typing_extensions")
    lock = HASHED.join(
        (
            f"typing-extensions=={here}",
            "numpy==0.9",
            "no-such-package==1.0",
            "nor-this==2.0 ; sys_platform == 'none'",
            f"Typing.Extensions=={here} ; python_full_version >= '3.0'",
            "",
        )
    )
    assert wheels.unlike(lock) == (f"numpy {version('numpy')}, locked 0.9", "no-such-package none, locked 1.0")
    assert wheels.unlike("") == ()


def test_pip_keeps_an_authority_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """That of a private registry, which `requests` is told of, would hide it; it counts where pip has none."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/registry.crt")
    monkeypatch.delenv("PIP_CERT", raising=False)
    assert wheels._environment() == dict(os.environ)
    monkeypatch.setenv("PIP_CERT", "/index.crt")
    assert "REQUESTS_CA_BUNDLE" not in wheels._environment()
    assert wheels._environment()["PIP_CERT"] == "/index.crt"
