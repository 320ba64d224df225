"""Who calls, and where: command line flags, OS_* variables, clouds.yaml, else the running lab.

Effects: reads the environment, clouds.yaml and the lab's state. No network.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from nebula.errors import ConfigError, NotFound

FIELDS: tuple[str, ...] = (
    "auth_url",
    "username",
    "password",
    "token",
    "project_name",
    "project_id",
    "user_domain_name",
    "user_domain_id",
    "project_domain_name",
    "project_domain_id",
    "cacert",
    "cloud",
)
"""What can be given as a flag ``--os-auth-url`` or as a variable ``OS_AUTH_URL``; the openstack client's names."""

DEFAULT_LAB = "nebula"


class Credentials(msgspec.Struct, frozen=True):
    """Who calls whom. ``domain``s are ``{"name": ...}`` or ``{"id": ...}``; ``source`` is said in error messages."""

    auth_url: str
    username: str
    password: str
    project_name: str
    project_id: str
    user_domain: dict[str, str]
    project_domain: dict[str, str]
    token: str
    source: str
    cacert: str = ""
    """The file with the authorities to trust over https; empty: the machine's."""
    insecure: bool = False
    """Who answers over https is not checked at all."""

    @property
    def identity_url(self) -> str:
        """The auth URL with its version: ``http://HOST:PORT/identity/v3``."""
        url = self.auth_url.rstrip("/")
        return url if url.endswith("/v3") else f"{url}/v3"


def lab_name() -> str:
    """The lab that is meant where no flag says so: ``NEBULA_LAB``, else ``nebula``."""
    return os.environ.get("NEBULA_LAB") or DEFAULT_LAB


def find_credentials(flags: Mapping[str, str]) -> Credentials:
    """Credentials from ``flags`` (keys as in FIELDS) over OS_* over clouds.yaml, or else from the running lab.

    Raises ConfigError with what to do where something is missing.
    """
    named = {name: os.environ.get(f"OS_{name.upper()}", "") for name in (*FIELDS, "insecure")}
    variables = {name: value for name, value in named.items() if value}
    given = variables | {name: value for name, value in flags.items() if value}
    if cloud := given.pop("cloud", ""):
        return _complete(_from_clouds_yaml(cloud) | given, f"cloud {cloud!r}")
    if "auth_url" in given:
        return _complete(given, "--os-* flags and OS_* variables" if flags else "OS_* variables")
    name = lab_name()
    lab = _from_lab(name)
    if not lab:
        raise ConfigError(
            f"There are no credentials: OS_AUTH_URL is not set and no lab {name!r} is up. "
            "Start one with 'nebulactl lab up', or set OS_AUTH_URL, OS_USERNAME, OS_PASSWORD and OS_PROJECT_NAME."
        )
    return _complete(lab | {field: value for field, value in flags.items() if value}, f"lab {name!r}")


def _complete(given: Mapping[str, str], source: str) -> Credentials:
    needed = ("auth_url",) if given.get("token") else ("auth_url", "username", "password")
    missing = [f"OS_{name.upper()}" for name in needed if not given.get(name)]
    if missing:
        raise ConfigError(f"Credentials from {source} lack {' and '.join(missing)}.")
    return Credentials(
        auth_url=given["auth_url"],
        username=given.get("username", ""),
        password=given.get("password", ""),
        project_name=given.get("project_name", ""),
        project_id=given.get("project_id", ""),
        user_domain=_domain(given, "user_domain"),
        project_domain=_domain(given, "project_domain"),
        token=given.get("token", ""),
        source=source,
        cacert=given.get("cacert", ""),
        insecure=given.get("insecure", "").lower() == "true",  # as openstacksdk reads it
    )


def _domain(given: Mapping[str, str], prefix: str) -> dict[str, str]:
    if name := given.get(f"{prefix}_name"):
        return {"name": name}
    return {"id": given.get(f"{prefix}_id") or "default"}


def _from_clouds_yaml(cloud: str) -> dict[str, str]:
    try:
        yaml = importlib.import_module("yaml")
    except ImportError:
        raise ConfigError("OS_CLOUD and --os-cloud need PyYAML: pip install pyyaml, or set OS_AUTH_URL...") from None
    own = os.environ.get("OS_CLIENT_CONFIG_FILE")
    config_home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    places = [Path(own)] if own else []
    places += [Path("clouds.yaml"), config_home / "openstack" / "clouds.yaml", Path("/etc/openstack/clouds.yaml")]
    for place in places:
        if not place.is_file():
            continue
        try:
            content = yaml.safe_load(place.read_text())
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise ConfigError(f"{place} cannot be read: {str(error).splitlines()[0]}") from error
        clouds = content.get("clouds") if isinstance(content, dict) else None
        entry = clouds.get(cloud) if isinstance(clouds, dict) else None
        if isinstance(entry, dict) and isinstance(entry.get("auth"), dict):
            given = {str(name): str(value) for name, value in entry["auth"].items() if name in FIELDS}
            trust = {"cacert": str(entry["cacert"])} if entry.get("cacert") else {}
            insecure = entry.get("verify") is False or str(entry.get("insecure", "")).lower() == "true"
            return given | trust | {"insecure": str(insecure)}
    raise ConfigError(f"No clouds.yaml has a cloud {cloud!r}; looked at {', '.join(map(str, places))}.")


def _from_lab(name: str) -> dict[str, str]:
    """The administrator's of the lab, by the names in FIELDS; nothing where no such lab is up."""
    from nebula_lab import open_lab

    try:
        found = open_lab(name).credentials
    except NotFound:
        return {}
    return {field: str(value) for field, value in msgspec.structs.asdict(found).items() if field in FIELDS}
