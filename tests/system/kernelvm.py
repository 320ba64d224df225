"""One command under a stock Debian kernel, with this machine's own root: for tests that need the kernel's modules.

Effects: an emulated machine (QEMU) and its file servers (virtiofsd), all of which end with the call, or with this
process. The guest sees ``/`` read-only under an overlay of its own; it has no network device. All runs by emulation
(TCG) and takes ten times as long as on the machine itself; NEBULA_TEST_ACCELERATOR=kvm is for machines with a KVM.

By hand: ``python tests/system/kernelvm.py COMMAND...``.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kernelvm_image import Image, NoKernel, image

_QEMU = "qemu-system-x86_64"
_VIRTIOFSD = ("/usr/libexec/virtiofsd", "/usr/lib/qemu/virtiofsd")
_MODULES = (
    "openvswitch vxlan veth bridge tun nf_conntrack nf_nat ip_tables iptable_filter iptable_nat nf_tables nft_compat "
    "nft_chain_nat xt_conntrack xt_comment xt_tcpudp xt_MASQUERADE xt_nat"
)
_TCG_CACHE_MIB = 512
"""Of translated code; all of it is thrown away when it is full."""
_GUEST = Path(__file__).with_name("kernelvm_guest.sh")


class NoVirtualMachine(Exception):
    """No virtual machine can be had here; the message says why."""


@dataclass(frozen=True)
class Ended:
    """``status`` is the command's exit code. ``boot_s`` is guest time from power-on to the command."""

    status: int
    output: str
    boot_s: float
    whole_s: float
    accelerator: str
    kernel: str


def accelerator() -> str:
    """What NEBULA_TEST_ACCELERATOR says, else ``tcg``: a machine may have a /dev/kvm with which no guest gets far."""
    return os.environ.get("NEBULA_TEST_ACCELERATOR", "tcg")


def check() -> Image:
    """The kernel to run. Raises NoVirtualMachine where something is missing."""
    if os.geteuid() != 0:
        raise NoVirtualMachine("virtiofsd shares this machine's root: that needs root")
    if shutil.which(_QEMU) is None:
        raise NoVirtualMachine("no QEMU: run 'make setup', or apt-get install qemu-system-x86")
    _virtiofsd()
    try:
        return image()
    except NoKernel as error:
        raise NoVirtualMachine(f"no kernel to run: {error}") from error


def run(
    argv: Sequence[str],
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    memory_mib: int = 1536,
    processors: int = 2,
    limit_s: float = 600.0,
    on_line: Callable[[str], None] | None = None,
) -> Ended:
    """Boot, run the command as root in ``folder``, switch off. ``on_line`` gets its output as it comes.

    Raises NoVirtualMachine, also where the guest ends without the command's exit code (with its last console lines)
    or runs for more than ``limit_s``.
    """
    kernel, how, began = check(), accelerator(), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="nebula-kernelvm-") as name:
        job = Path(name)
        _write_job(job, argv, folder or Path.cwd(), {**(environment or {}), "KERNELVM_MODULES": str(kernel.modules)})
        with _shared(job, "root", Path("/"), "always") as root, _shared(job, "job", job, "auto") as shared:
            machine = _machine(kernel, job, how, memory_mib, processors)
            for number, (tag, socket) in enumerate((("root", root), ("job", shared))):
                machine += ["-chardev", f"socket,id=fs{number},path={socket}"]
                machine += ["-device", f"vhost-user-fs-pci,chardev=fs{number},tag={tag},queue-size=1024"]
            output, ended = _lines(machine, limit_s, on_line)
        whole_s = time.monotonic() - began
        if ended is None:
            raise NoVirtualMachine(f"the guest had not ended after {limit_s:.0f} s:\n{output[-3000:]}")
        try:
            status, boot_s = int((job / "status").read_text()), float((job / "boot_s").read_text())
        except (OSError, ValueError) as error:
            console = (job / "console").read_text(errors="replace") if (job / "console").exists() else ""
            last = "\n".join([*output.splitlines()[-10:], *console.splitlines()[-20:]])
            raise NoVirtualMachine(f"the guest ended without a status (QEMU: {ended}):\n{last}") from error
    return Ended(status, output, boot_s, whole_s, how, kernel.version)


def _write_job(job: Path, argv: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
    variables = {"KERNELVM_LOAD": _MODULES, "KERNELVM_FOLDER": str(folder), **environment}
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in variables.items()]
    (job / "environment").write_text("".join(lines))
    (job / "command.sh").write_text(f"exec {shlex.join(argv)}\n")
    (job / "guest.sh").write_bytes(_GUEST.read_bytes())


def _machine(kernel: Image, job: Path, how: str, memory_mib: int, processors: int) -> list[str]:
    accel, cpu = ("kvm", "host") if how == "kvm" else (f"tcg,tb-size={_TCG_CACHE_MIB}", "Nehalem")
    # norandmaps: QEMU translates code anew for each address that it is mapped at
    words = "console=ttyS0 quiet panic=-1 norandmaps mitigations=off random.trust_cpu=on"
    return [
        *("nice", "--adjustment=5"),  # what else runs here keeps its time
        *(_QEMU, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
        *("-machine", "q35,memory-backend=mem", "-accel", accel, "-cpu", cpu),
        *("-smp", str(processors), "-m", str(memory_mib)),
        *("-object", f"memory-backend-memfd,id=mem,size={memory_mib}M,share=on"),
        *("-kernel", str(kernel.kernel), "-initrd", str(kernel.initramfs)),
        *("-append", words if how == "kvm" else f"{words} tsc=unstable"),
        *("-serial", f"file:{job / 'console'}", "-device", "virtio-serial-pci"),
        *("-chardev", "stdio,id=out,signal=off", "-device", "virtserialport,chardev=out,name=out"),
        *("-object", "rng-random,id=rng,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=rng"),
    ]


def _lines(argv: Sequence[str], limit_s: float, on_line: Callable[[str], None] | None) -> tuple[str, int | None]:
    """Output and exit code of a command, None after the time limit; each line is told as it comes."""
    lines: list[str] = []
    over = threading.Event()
    # standard input stays open: QEMU takes its end for a terminal hung up, and the guest's writes would wait for ever
    process = subprocess.Popen(
        [*_mortal(), *argv],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    assert process.stdin is not None
    assert process.stdout is not None

    def end() -> None:
        over.set()
        process.kill()

    timer = threading.Timer(limit_s, end)
    timer.start()
    try:
        for line in process.stdout:
            lines.append(line)
            if on_line is not None:
                on_line(line.rstrip("\n"))
        process.wait()
    finally:
        timer.cancel()
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()
    return "".join(lines), None if over.is_set() else process.returncode


def _virtiofsd() -> str:
    found = next((path for path in _VIRTIOFSD if Path(path).exists()), None)
    if found is None:
        raise NoVirtualMachine("no virtiofsd: apt-get install virtiofsd (in Debian 12: qemu-system-common)")
    return found


@contextmanager
def _shared(job: Path, tag: str, source: Path, cache: str) -> Iterator[Path]:
    """Serve a folder to the guest; the socket."""
    program, socket = _virtiofsd(), job / f"{tag}.sock"
    if "qemu" in Path(program).parts:  # QEMU's own, in C; the other one is rust-vmm's
        options = ["-o", f"source={source}", "-o", "sandbox=chroot", "-o", f"cache={cache}", "-o", "no_writeback"]
    else:
        options = ["--shared-dir", str(source), "--sandbox", "chroot", "--cache", cache]
    with (job / f"{tag}.log").open("wb") as log:
        argv = [*_mortal(), program, f"--socket-path={socket}", *options]
        server = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        end = time.monotonic() + 10
        while not socket.exists():
            if server.poll() is not None or time.monotonic() > end:
                raise NoVirtualMachine(f"virtiofsd did not start: {(job / f'{tag}.log').read_text()[-500:]}")
            time.sleep(0.02)
        yield socket
    finally:
        server.terminate()
        try:
            server.wait(5)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _mortal() -> list[str]:
    """In front of a command: it is killed when this process dies."""
    return ["setpriv", "--pdeathsig", "KILL", "--"]


def _main() -> int:
    environment = {"PYTHONDONTWRITEBYTECODE": "1"}
    try:
        ended = run(sys.argv[1:], environment=environment, on_line=print)
    except NoVirtualMachine as error:
        print(f"kernelvm: {error}", file=sys.stderr)
        return 125
    print(
        f"kernelvm: {ended.kernel} by {ended.accelerator}: boot {ended.boot_s:.1f} s, whole {ended.whole_s:.1f} s",
        file=sys.stderr,
    )
    return ended.status


if __name__ == "__main__":
    sys.exit(_main())
