"""nebulactl's words for joining: durations, and whom it trusts over https."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
from nebulactl.credentials import find_credentials
from nebulactl.joining import Duration


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("30m", 1800), ("2h", 7200), ("7d", 604_800)])
def test_durations(text: str, seconds: int) -> None:
    """A number and its unit."""
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "3", "0s", "-1h", "1.5h", "1 h", "1w", "h", "99999999d", "1h30m"])
def test_what_is_no_duration(text: str) -> None:
    """Said with examples."""
    with pytest.raises(click.BadParameter, match="as in 90s, 30m, 2h or 7d"):
        Duration().convert(text, None, None)


def test_the_authority_to_trust(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The flag over OS_CACERT over clouds.yaml, where it stands beside ``auth`` as the openstack client has it."""
    auth = {"auth_url": "https://c:9697/identity", "username": "u", "password": "p"}
    file = tmp_path / "clouds.yaml"
    file.write_text(json.dumps({"clouds": {"mine": {"auth": auth, "cacert": "/of/clouds.pem"}}}))
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(file))
    for name, value in {**{key.upper(): value for key, value in auth.items()}, "CACERT": "/of/variable.pem"}.items():
        monkeypatch.setenv(f"OS_{name}", value)
    assert find_credentials({}).cacert == "/of/variable.pem"
    assert find_credentials({"cacert": "/of/flag.pem"}).cacert == "/of/flag.pem"
    for name in ("AUTH_URL", "USERNAME", "PASSWORD", "CACERT"):
        monkeypatch.delenv(f"OS_{name}")
    assert find_credentials({"cloud": "mine"}).cacert == "/of/clouds.pem"
    assert find_credentials({"cloud": "mine", "cacert": "/of/flag.pem"}).cacert == "/of/flag.pem"
