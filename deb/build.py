"""``make deb``: Debian packages of the checkout, with the libraries of this virtual environment.

    python deb/build.py [FOLDER]         the packages go to dist/ by default

Effects: a temporary folder, dpkg-deb, files in FOLDER. Nothing is fetched: the libraries are those that are installed
here, in the versions of requirements.lock, and only those that the programs need at run time. Packages fit the
distribution that they were built on: the libraries are compiled for its Python.
"""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
import tempfile
from email.utils import formatdate
from importlib.metadata import Distribution, distribution
from pathlib import Path

from manpages import pages
from packaging.requirements import Requirement

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PROJECT = "nebula-sdn"
SOURCES = {
    "nebula": ROOT / "nebula",
    "nebula_runtime": ROOT / "runtime/nebula_runtime",
    "nebula_controller": ROOT / "controller/nebula_controller",
    "nebula_agent": ROOT / "agent/nebula_agent",
    "nebulactl": ROOT / "cli/nebulactl",
    "nebula_lab": ROOT / "lab/nebula_lab",
}
PROGRAMS = {
    "nebula-controller": ("nebula_controller.main", "nebula-controller", 8),
    "nebula-agent": ("nebula_agent.main", "nebula-agent", 8),
    "nebulactl": ("nebulactl.__main__", "nebulactl", 1),
}
"""Program to its module, the package that has it, and the section of its manual."""
HOME = "usr/lib/nebula"
PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
SITE = f"{HOME}/lib/{PYTHON}/site-packages"

_MAINTAINER = "Nebula <nebula@localhost>"


def main() -> None:
    """Build all packages."""
    target = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "dist").resolve()
    target.mkdir(parents=True, exist_ok=True)
    version = distribution(PROJECT).version
    with tempfile.TemporaryDirectory(prefix="nebula-deb-") as name:
        staging = Path(name)
        _common(staging / "nebula-common", version)
        for program, (_module, package, section) in PROGRAMS.items():
            root = staging / package
            _program(root, program)
            _manual(root, program, section, version)
        _units(staging)
        _examples(staging / "nebula-controller")
        _completion(staging / "nebulactl")
        for package in ("nebula-common", "nebula-controller", "nebula-agent", "nebulactl"):
            print(_pack(staging / package, package, version, target))


def _common(root: Path, version: str) -> None:
    """A virtual environment at its final place: the programs and the libraries."""
    binaries, site = root / HOME / "bin", root / SITE
    binaries.mkdir(parents=True)
    site.mkdir(parents=True)
    for link in ("python", "python3", PYTHON):
        _link(root, f"{HOME}/bin/{link}", f"usr/bin/{PYTHON}")
    (root / HOME / "pyvenv.cfg").write_text("home = /usr/bin\ninclude-system-site-packages = false\n")
    for package, source in SOURCES.items():
        shutil.copytree(source, site / package, ignore=shutil.ignore_patterns("__pycache__"))
    info = site / f"{PROJECT.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {PROJECT}\nVersion: {version}\n")
    for library in _libraries():
        _copy(library, site)
    for program, (module, _package, _section) in PROGRAMS.items():
        _script(binaries / program, module)
    _strip(site)
    _compile(root)


def _strip(site: Path) -> None:
    """The libraries without what a debugger reads, which is two thirds of them (dh_strip does the same)."""
    shared = sorted(str(file) for pattern in ("*.so", "*.so.*") for file in site.rglob(pattern))
    subprocess.run(["strip", "--strip-unneeded", "--remove-section=.comment", *shared], check=True)


def _compile(root: Path) -> None:
    """Bytecode beside the sources, made here once and not on every machine.

    It names its source by a hash (PEP 552): the time of a file, which an image or a copy may lose, is of no account,
    and a source that somebody edits in place is heeded. It is good for one minor version of Python, as the package is.
    """
    argv = [sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "checked-hash", "-s", str(root)]
    subprocess.run([*argv, str(root / SITE)], check=True)


def _libraries() -> list[Distribution]:
    """What the programs need at run time, and what that needs in turn."""
    found: dict[str, Distribution] = {}
    waiting = list(distribution(PROJECT).requires or ())
    while waiting:
        wanted = Requirement(waiting.pop())
        if wanted.marker is not None and not any(
            wanted.marker.evaluate({"extra": extra}) for extra in ("", *wanted.extras) if extra != "dev"
        ):
            continue
        name = wanted.name.lower().replace("_", "-")
        if name not in found:
            found[name] = distribution(name)
            waiting += found[name].requires or ()
    return [found[name] for name in sorted(found)]


def _copy(library: Distribution, site: Path) -> None:
    for file in library.files or ():
        if ".." in file.parts or "__pycache__" in file.parts or file.name in ("direct_url.json", "INSTALLER"):
            continue
        place = site / file
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(str(file.locate()), place)


def _script(path: Path, module: str) -> None:
    text = f"#!/{HOME}/bin/python\nimport sys\n\nfrom {module} import main\n\nsys.exit(main())\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def _program(root: Path, program: str) -> None:
    _link(root, f"usr/bin/{program}", f"{HOME}/bin/{program}")


def _link(root: Path, name: str, to: str) -> None:
    link = root / name
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(os.path.relpath(to, link.parent.relative_to(root)))


def _manual(root: Path, program: str, section: int, version: str) -> None:
    folder = root / f"usr/share/man/man{section}"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages(version):
        if name == f"{program}.{section}" or name.startswith(f"{program}-"):
            (folder / name).write_text(text)
            subprocess.run(["gzip", "-9n", str(folder / name)], check=True)


def _units(staging: Path) -> None:
    for package, config in (("nebula-controller", "controller.toml"), ("nebula-agent", "agent.toml")):
        for name, folder in ((f"{package}.service", "usr/lib/systemd/system"), (config, "etc/nebula")):
            place = staging / package / folder / name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(HERE / "debian" / package / name, place)


def _examples(root: Path) -> None:
    folder = root / "usr/share/doc/nebula-controller/examples"
    folder.mkdir(parents=True, exist_ok=True)
    for file in sorted((HERE / "watching").iterdir()):
        shutil.copy(file, folder / file.name)


def _completion(root: Path) -> None:
    places = {
        "bash": "usr/share/bash-completion/completions/nebulactl",
        "zsh": "usr/share/zsh/vendor-completions/_nebulactl",
        "fish": "usr/share/fish/vendor_completions.d/nebulactl.fish",
    }
    for shell, place in places.items():
        made = subprocess.run(
            [sys.executable, "-m", "nebulactl", "completion", shell], check=True, capture_output=True, text=True
        )
        path = root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(made.stdout)


def _terms(library: Distribution) -> str:
    """A library's paragraph of debian/copyright: its files, and its licence by name."""
    about = library.metadata
    classified = [text for text in about.get_all("Classifier") or () if text.startswith("License :: ")]
    named = about.get("License-Expression") or about.get("License") or "".join(classified[:1]).rpartition(" :: ")[2]
    if not named:
        raise SystemExit(f"{about['Name']} does not say what its licence is")
    parts = {file.parts[0] + "/*" * (len(file.parts) > 1) for file in library.files or () if ".." not in file.parts}
    files = "\n ".join(f"{SITE}/{part}" for part in sorted(parts - {"__pycache__/*"}))
    return f"\nFiles: {files}\nCopyright: the authors of {about['Name']} {library.version}\nLicense: {named}\n"


def _documents(root: Path, package: str, version: str) -> None:
    """Who may do what with it, and which version this is, as Debian wants them."""
    folder = root / "usr/share/doc" / package
    folder.mkdir(parents=True, exist_ok=True)
    licences = (HERE / "debian/copyright").read_text()
    if package == "nebula-common":
        licences += "".join(_terms(library) for library in _libraries())
        overrides = root / "usr/share/lintian/overrides"
        overrides.mkdir(parents=True)
        shutil.copy(HERE / "debian/nebula-common/lintian-overrides", overrides / package)
    (folder / "copyright").write_text(licences)
    made = f"nebula ({version}) unstable; urgency=medium\n\n  * What is new: the history of the sources.\n\n"
    made += f" -- {_MAINTAINER}  {formatdate(_newest())}\n"
    (folder / "changelog.gz").write_bytes(gzip.compress(made.encode(), 9, mtime=0))


def _pack(root: Path, package: str, version: str, target: Path) -> Path:
    """Control files, documents, and the package itself."""
    _documents(root, package, version)
    source, control = HERE / "debian" / package, root / "DEBIAN"
    control.mkdir()
    architecture = subprocess.run(
        ["dpkg", "--print-architecture"], check=True, capture_output=True, text=True
    ).stdout.strip()
    major, minor = sys.version_info[:2]
    python = f"python3 (>= {major}.{minor}), python3 (<< {major}.{minor + 1})"
    size_kib = sum(file.stat().st_size for file in root.rglob("*") if file.is_file()) // 1024
    fields = (source / "control").read_text().format(version=version, python=python)
    head, _, description = fields.partition("Description:")
    head += f"Version: {version}\nArchitecture: {architecture}\nPriority: optional\nInstalled-Size: {size_kib}\n"
    head += f"Maintainer: {_MAINTAINER}\n"
    (control / "control").write_text(f"{head}Description:{description}")
    for script in ("postinst", "prerm", "postrm"):
        if (source / script).exists():
            shutil.copy(source / script, control / script)
            (control / script).chmod(0o755)
    settings = sorted(f"/{file.relative_to(root)}\n" for file in root.glob("etc/**/*") if file.is_file())
    if settings:
        (control / "conffiles").write_text("".join(settings))
    name = f"{package}_{version}_{architecture}.deb"
    made = root.with_name(name)
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Zxz", "-z1", "--build", str(root), str(made)],
                   check=True, stdout=subprocess.DEVNULL,
                   env={"SOURCE_DATE_EPOCH": str(_newest()), **os.environ})  # fmt: skip
    # In one step: somebody may be copying the one that was there.
    shutil.move(made, target / f".{name}")
    return (target / f".{name}").replace(target / name)


def _newest() -> int:
    """Seconds of the newest source: no file of a package is younger, so that the same checkout gives the same bytes."""
    return max(int(file.stat().st_mtime) for folder in (*SOURCES.values(), HERE) for file in folder.rglob("*.*")
               if "__pycache__" not in file.parts and file.is_file())  # fmt: skip


if __name__ == "__main__":
    main()
