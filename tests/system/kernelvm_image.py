"""A stock Debian kernel for tests: downloaded, unpacked into the user's cache, never installed.

Effects: runs apt-get download, dpkg-deb, depmod; writes below :func:`cache_folder` only. An initramfs with busybox
and the few modules that a virtual machine needs to mount its root is made beside the kernel.
"""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import lzma
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_META_PACKAGE = "linux-image-cloud-amd64"
_BOOT_MODULES = ("virtio_pci", "virtio_console", "virtio_rng", "virtiofs", "overlay")
_GUEST = Path(__file__).with_name("kernelvm_initramfs.sh")
_REGULAR, _FOLDER = 0o100755, 0o040755


class NoKernel(Exception):
    """There is no kernel to be had here; the message says why."""


@dataclass(frozen=True)
class Image:
    """``modules`` is the folder that has the kernel's version as its only entry."""

    version: str
    kernel: Path
    initramfs: Path
    modules: Path


def cache_folder() -> Path:
    """Where kernels are kept; 120 MiB each."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "nebula-tests", "kernelvm")


def image() -> Image:
    """The newest cloud kernel that this machine's package lists name; without lists the one that is kept already.

    Raises NoKernel.
    """
    if shutil.which("apt-get") is None or _output("dpkg", "--print-architecture").strip() != "amd64":
        raise NoKernel("kernels are taken from Debian packages for amd64")
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder / "lock"):
        kept = [path.name for path in folder.glob("linux-image-*")]
        try:
            package = _package()
        except NoKernel:
            if not kept:
                raise
            package = kept[0]
        for other in folder.glob("linux-image-*"):
            if other.name != package:
                shutil.rmtree(other)
        root = folder / package
        if not root.exists():
            _unpack(package, root)
        return _initramfs(root)


def _package() -> str:
    found = re.search(r"Depends: (linux-image-\d\S+)", _output("apt-cache", "depends", _META_PACKAGE))
    if found is None:
        raise NoKernel(f"apt knows no {_META_PACKAGE}: run apt-get update")
    return found[1]


def _unpack(package: str, root: Path) -> None:
    """Download the package and make ``root`` of it, by a rename at the end."""
    with tempfile.TemporaryDirectory(dir=root.parent) as name:
        folder = Path(name)
        _output("apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", package, cwd=folder, timeout_s=300)
        deb = next(folder.glob("*.deb"))
        unpacked = folder / "root"
        _output("dpkg-deb", "-x", str(deb), str(unpacked), timeout_s=120)
        if not (unpacked / "lib").exists():
            (unpacked / "lib").symlink_to("usr/lib")  # Debian 13
        _output("depmod", "-b", str(unpacked), _version(unpacked), timeout_s=120)
        unpacked.rename(root)


def _version(root: Path) -> str:
    return next((root / "lib/modules").iterdir()).name


def _initramfs(root: Path) -> Image:
    version = _version(root)
    recipe = hashlib.sha256(Path(__file__).read_bytes() + _GUEST.read_bytes()).hexdigest()[:16]
    made = Image(
        version,
        root / "boot" / f"vmlinuz-{version}",
        root / f"initramfs-{recipe}.img",
        (root / "lib/modules").resolve(),
    )
    if made.initramfs.exists():
        return made
    files = {"init": _GUEST.read_bytes()}
    for program in _busybox():
        files[str(program).lstrip("/")] = program.read_bytes()
    order = []
    for module in _modules(root, version):
        content = module.read_bytes()
        files[f"mod/{module.stem}"] = lzma.decompress(content) if module.suffix == ".xz" else content
        order.append(module.stem)
    files["mod/order"] = "".join(f"{name}\n" for name in order).encode()
    new = made.initramfs.with_suffix(".new")
    new.write_bytes(gzip.compress(_cpio(files), 1))
    new.rename(made.initramfs)
    return made


def _busybox() -> list[Path]:
    """busybox as ``bin/busybox``, and where it is not static its libraries."""
    program = Path("/bin/busybox")
    if not program.exists():
        raise NoKernel("busybox is not installed")
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=False, timeout=30).stdout
    return [program, *map(Path, re.findall(r"(/\S+) \(0x", listed))]


def _modules(root: Path, version: str) -> list[Path]:
    """The boot modules and what they need, in the order of loading."""
    found: dict[str, None] = {}
    for name in _BOOT_MODULES:
        shown = _output("modprobe", "-d", str(root), "-S", version, "--show-depends", name)
        found.update(dict.fromkeys(line.split()[1] for line in shown.splitlines() if line.startswith("insmod")))
    return [Path(path) for path in found]


def _cpio(files: dict[str, bytes]) -> bytes:
    """An archive in the "newc" format, cpio(5), all of it root's."""
    folders = {str(parent) for name in files for parent in Path(name).parents} - {"."}
    folders |= {"proc", "sys", "dev", "lower", "upper", "new"}
    entries = [(name, _FOLDER, b"") for name in sorted(folders)]
    entries += [(name, _REGULAR, content) for name, content in files.items()]
    parts: list[bytes] = []
    for number, (name, mode, content) in enumerate([*entries, ("TRAILER!!!", 0, b"")], start=1):
        encoded = name.encode() + b"\0"
        fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(encoded), 0)
        head = b"070701" + b"".join(b"%08X" % field for field in fields) + encoded
        parts += [head, b"\0" * (-len(head) % 4), content, b"\0" * (-len(content) % 4)]
    return b"".join(parts)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _output(*argv: str, cwd: Path | None = None, timeout_s: float = 30.0) -> str:
    """Output of a command that ends with 0. Raises NoKernel."""
    environment = {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            argv, cwd=cwd, capture_output=True, text=True, check=False, timeout=timeout_s, env=environment
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoKernel(f"{argv[0]}: {error}") from error
    if done.returncode != 0:
        raise NoKernel(f"{' '.join(argv)}: {(done.stderr.strip() or 'failed').splitlines()[-1]}")
    return done.stdout
