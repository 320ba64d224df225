"""The image of the nodes, without any registry: a Debian root from this machine's package sources, and our packages.

Effects: mmdebstrap and docker; a file in the user's cache, made once for each list of packages (200 MiB).
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

from container_engine import Engine, NoContainers

ROOT = Path(__file__).resolve().parents[3]
HERE = Path(__file__).resolve().parent
IMAGE = "nebula-node"
_BASE = "nebula-debian"
_SOURCES = (
    "/etc/apt/sources.list.d/debian.sources",
    "/etc/apt/sources.list.d/ubuntu.sources",
    "/etc/apt/sources.list",
)
_TOOLS = ("python3", "iputils-ping", "curl")
"""What the tests run in the nodes, beside what our packages ask for."""
_MMDEBSTRAP = (
    "--variant=minbase",
    "--aptopt=APT::Install-Recommends false",
    "--aptopt=Acquire::Check-Valid-Until false",
    *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("man", "doc", "locale")),
    '--customize-hook=cd "$1" && rm -rf var/lib/apt/lists/* var/cache/apt/* etc/apt/sources.list.d/*',
)


def build(engine: Engine, folder: Path, debs: Path) -> None:
    """Make IMAGE in the engine, with the packages in ``debs``; ``folder`` is for what it is made of.

    Raises NoContainers.
    """
    context = folder / "image"
    shutil.copytree(debs, context)
    engine.docker("import", "--change=ENV PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin", str(root()), _BASE)
    for name in ("Dockerfile", "init.sh"):
        shutil.copy(HERE / name, context)
    engine.docker("build", "--quiet", "--network=none", f"--tag={IMAGE}", str(context))


def root() -> Path:
    """The Debian root as a tar file, from the cache. Raises NoContainers."""
    release, packages = _release(), _packages()
    recipe = hashlib.sha256(repr((packages, _MMDEBSTRAP, release)).encode()).hexdigest()[:16]
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "nebula-tests", "containers")
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / f"{release}-{recipe}.tar"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            _bootstrap(release, packages, made)
            for other in folder.glob("*.tar"):
                if other != made:
                    other.unlink()
    return made


def _packages() -> list[str]:
    """What our packages depend on, without each other."""
    found = set(_TOOLS)
    for control in (ROOT / "deb/debian").glob("*/control"):
        depends = re.search(r"^Depends: (.*)$", control.read_text(), re.MULTILINE)
        words = [word.split()[0] for word in depends[1].split(",")] if depends else []
        found |= {word for word in words if not word.startswith(("nebula", "{"))}
    return sorted(found)


def _release() -> str:
    """Of Debian or Ubuntu, the one of this machine: our packages are built for it."""
    for line in Path("/etc/os-release").read_text().splitlines():
        if line.startswith("VERSION_CODENAME="):
            return line.partition("=")[2].strip('"')
    raise NoContainers("the nodes' image is made of this machine's Debian or Ubuntu release, and it is neither")


def _bootstrap(release: str, packages: list[str], made: Path) -> None:
    sources = next((path for path in map(Path, _SOURCES) if path.exists()), None)
    if sources is None:
        raise NoContainers("apt has no sources of Debian packages here")
    new = made.with_suffix(".new")
    argv = ["mmdebstrap", "--quiet", *_MMDEBSTRAP, f"--include={','.join(packages)}", "--format=tar"]
    done = subprocess.run(
        [*argv, release, str(new), str(sources)], capture_output=True, text=True, check=False, timeout=500
    )
    if done.returncode != 0:
        new.unlink(missing_ok=True)
        raise NoContainers(f"mmdebstrap: {(done.stderr.strip() or 'failed').splitlines()[-1]}")
    new.rename(made)
