"""How to call the lab's API with the unmodified openstack client: shell lines, or an entry in clouds.yaml.

Effects: ``write_cloud`` reads and replaces one file. The rest is pure.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from nebula.errors import ConfigError
from nebula_lab.cloud import Credentials
from nebula_lab.folders import DEFAULT_NAME

SHELLS = ("bash", "fish")
_UNSAFE = re.compile(r"[^A-Za-z0-9_@%+=:,./-]")


def shell_lines(credentials: Credentials, shell: str = "bash") -> str:
    """One line per variable, for ``eval "$(nebulactl lab env)"``. ``shell`` is one of SHELLS.

    Variables of another cloud that would win over these are unset.
    """
    lines = []
    for name in ("OS_CLOUD", "OS_TOKEN", "OS_AUTH_TYPE", "OS_PROJECT_ID", "OS_USER_DOMAIN_ID", "OS_PROJECT_DOMAIN_ID"):
        lines.append(f"set -e {name}" if shell == "fish" else f"unset {name}")
    for name, value in credentials.variables().items():
        word = _quoted(value)
        lines.append(f"set -gx {name} {word}" if shell == "fish" else f"export {name}={word}")
    return "\n".join(lines) + "\n"


def cloud_name(lab: str) -> str:
    """The lab's name in clouds.yaml: ``nebula`` for the lab ``nebula``, else ``nebula-<lab>``."""
    return lab if lab == DEFAULT_NAME else f"{DEFAULT_NAME}-{lab}"


def clouds_file(environ: Mapping[str, str]) -> Path:
    """The file that the openstack client reads for this user."""
    if own := environ.get("OS_CLIENT_CONFIG_FILE"):
        return Path(own)
    home = Path(environ.get("HOME") or Path.home())
    return Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "openstack" / "clouds.yaml"


def merged_clouds(text: str, name: str, credentials: Credentials) -> str:
    """``text`` of a clouds.yaml with the entry ``name`` put in or replaced; every other line stays as it is.

    Works on lines, because no YAML library keeps comments. Raises ConfigError where the file has no plain block
    ``clouds:`` to put it into, though it has something of that name.
    """
    lines = text.splitlines()
    start = next(
        (number for number, line in enumerate(lines) if re.match(r"(clouds|[\"']clouds[\"'])\s*:", line)), None
    )
    if start is None:
        if text.lstrip().startswith("{"):
            raise ConfigError("it is written in JSON's form: put the entry in by hand, from 'nebulactl lab env'")
        end_mark = [] if not lines or not lines[-1].strip() else [""]
        return "\n".join([*lines, *end_mark, "clouds:", *_entry(name, credentials, "  ")]) + "\n"
    rest = re.sub(r"#.*", "", lines[start].partition(":")[2]).strip()
    if rest not in ("", "{}"):
        raise ConfigError("its 'clouds:' is written on one line: put the entry in by hand, from 'nebulactl lab env'")
    if rest == "{}":
        lines[start] = "clouds:"
    end = next((number for number in range(start + 1, len(lines)) if _is_top(lines[number])), len(lines))
    while end > start + 1 and not lines[end - 1].strip():
        end -= 1
    block = lines[start + 1 : end]
    indent = next((_indent(line) for line in block if _is_content(line)), "  ")
    first, last = _own_lines(block, name, indent)
    block[first:last] = _entry(name, credentials, indent)
    return "\n".join([*lines[: start + 1], *block, *lines[end:]]) + "\n"


def write_cloud(path: Path, name: str, credentials: Credentials) -> None:
    """Put the entry into the file, which is made where it is missing. Raises ConfigError; then nothing changed."""
    target = path.resolve()
    try:
        text = target.read_text(encoding="utf-8") if target.exists() else ""
        merged = merged_clouds(text, name, credentials)
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, fresh = tempfile.mkstemp(dir=target.parent, prefix=".clouds.yaml.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(merged)
            if target.exists():
                Path(fresh).chmod(target.stat().st_mode & 0o777)
            Path(fresh).replace(target)
        except BaseException:
            Path(fresh).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ConfigError(f"cannot write {error.filename or target}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{target} is not UTF-8 text") from error
    except ConfigError as error:
        raise ConfigError(f"{target} was left as it is: {error.message}") from error


def _entry(name: str, credentials: Credentials, indent: str) -> list[str]:
    auth = {
        "auth_url": credentials.auth_url,
        "username": credentials.username,
        "password": credentials.password,
        "project_name": credentials.project_name,
        "user_domain_name": credentials.user_domain_name,
        "project_domain_name": credentials.project_domain_name,
    }
    lines = [f"{indent}{name}:", f"{indent * 2}auth:"]
    lines += [f"{indent * 3}{key}: {json.dumps(value)}" for key, value in auth.items()]  # JSON's strings are YAML's
    return [*lines, f'{indent * 2}identity_api_version: "3"']


def _own_lines(block: list[str], name: str, indent: str) -> tuple[int, int]:
    """Where in the block the entry stands; both are the block's end where it does not."""
    key = re.compile(rf"{indent}([\"']?){re.escape(name)}\1\s*:")
    first = next((number for number, line in enumerate(block) if key.match(line)), len(block))
    last = first + 1
    while last < len(block) and not (_is_content(block[last]) and len(_indent(block[last])) <= len(indent)):
        last += 1
    while last > first + 1 and not _is_content(block[last - 1]):
        last -= 1  # blank lines and comments before the next entry belong to that one
    return first, min(last, len(block))


def _is_top(line: str) -> bool:
    return _is_content(line) and not line[0].isspace()


def _is_content(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _quoted(value: str) -> str:
    if not _UNSAFE.search(value) and value:
        return value
    return "'" + value.replace("'", "'\\''") + "'"
