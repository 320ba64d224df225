"""The import arrows and the purity of the core, read from the sources."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {
    "nebula": ROOT / "nebula",
    "nebula_runtime": ROOT / "runtime/nebula_runtime",
    "nebula_controller": ROOT / "controller/nebula_controller",
    "nebula_agent": ROOT / "agent/nebula_agent",
    "nebulactl": ROOT / "cli/nebulactl",
    "nebula_lab": ROOT / "lab/nebula_lab",
}
ARROWS = {
    "nebula": set(),
    "nebula_runtime": {"nebula"},
    "nebula_controller": {"nebula", "nebula_runtime"},
    "nebula_agent": {"nebula", "nebula_runtime"},
    "nebulactl": {"nebula", "nebula_runtime", "nebula_lab"},
    "nebula_lab": {"nebula", "nebula_runtime"},
}
EFFECTS = {
    "os", "subprocess", "socket", "time", "random", "secrets", "pathlib", "shutil", "logging", "threading", "asyncio",
    "sqlalchemy", "starlette", "ovs", "http", "urllib.request", "tempfile", "sys",
}  # fmt: skip


def sources(package: str) -> list[Path]:
    return sorted(path for path in PACKAGES[package].rglob("*.py") if "migrations/versions" not in str(path))


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_follow_the_arrows(package: str) -> None:
    """No package imports one that it may not know of."""
    wrong = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources(package)
        for name in imports(path)
        if (top := name.split(".")[0]) in PACKAGES and top != package and top not in ARROWS[package]
    }
    assert wrong == set()


def test_the_core_has_no_effects() -> None:
    """Nothing in ``nebula`` can reach a clock, the disk, the network, a process or randomness."""
    wrong = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources("nebula")
        for name in imports(path)
        if name in EFFECTS or name.split(".")[0] in EFFECTS
    }
    assert wrong == set()


def test_drivers_do_not_know_features() -> None:
    """The agent's drivers realise kinds of object and never ask which feature wanted them."""
    wrong = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources("nebula_agent")
        if "drivers" in path.parts
        for name in imports(path)
        if name.startswith("nebula.compile.features")
    }
    assert wrong == set()


@pytest.mark.parametrize("package", PACKAGES)
def test_every_module_says_what_it_is(package: str) -> None:
    """Each module starts with a docstring; no file is too long to be one idea."""
    silent = [
        str(path.relative_to(ROOT))
        for path in sources(package)
        if (text := path.read_text()).strip() and ast.get_docstring(ast.parse(text)) is None
    ]
    long = [str(path.relative_to(ROOT)) for path in sources(package) if len(path.read_text().splitlines()) > 500]
    assert (silent, long) == ([], [])
