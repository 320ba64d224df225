"""A lab's name and folder."""

import os
from pathlib import Path

import pytest
from nebula_lab.folders import check_name, default_name, drop_labs_folder, labs_folder, make_labs_folder

from nebula.errors import ConfigError, InvalidAttribute


@pytest.mark.parametrize("name", ["nebula", "a", "7", "lab-2", "x" * 32])
def test_good_names_are_taken(name: str) -> None:
    """A name of a folder and of a cloud is taken as it is."""
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "-a", "a-", "A", "a b", "a\n", "x" * 33, "ä", ".lock"])
def test_bad_names_are_refused(name: str) -> None:
    """Nothing that could leave the folder, hide in it or break a prompt is a lab's name."""
    with pytest.raises(InvalidAttribute, match="lab name"):
        check_name(name)


def test_default_name_is_the_variable_or_nebula() -> None:
    """NEBULA_LAB names the lab; empty or missing means ``nebula``."""
    assert [default_name(env) for env in ({"NEBULA_LAB": "x"}, {"NEBULA_LAB": ""}, {})] == ["x", "nebula", "nebula"]


def test_root_keeps_labs_under_run() -> None:
    """Root's labs are under /run, whatever its environment says."""
    assert labs_folder(0, {"XDG_RUNTIME_DIR": "/tmp"}) == Path("/run/nebula/labs")


def test_user_keeps_labs_in_the_runtime_folder_only_if_it_is_theirs(tmp_path: Path) -> None:
    """A runtime folder of somebody else, or one that others may write to, is not used."""
    uid = os.getuid() or 4242
    os.chown(tmp_path, uid, -1)
    tmp_path.chmod(0o700)
    env = {"XDG_RUNTIME_DIR": str(tmp_path)}
    own = labs_folder(uid, env)
    other = labs_folder(uid + 1, env)
    tmp_path.chmod(0o777)
    open_to_all = labs_folder(uid, env)
    assert (own, other, open_to_all, labs_folder(uid, {})) == (
        tmp_path / "nebula/labs",
        Path(f"/tmp/nebula-{uid + 1}/labs"),
        Path(f"/tmp/nebula-{uid}/labs"),
        Path(f"/tmp/nebula-{uid}/labs"),
    )


def test_folder_is_made_private_and_dropped_when_empty(tmp_path: Path) -> None:
    """Nobody else may look into the labs' folder; it goes with the last lab, not before."""
    labs = tmp_path / "nebula/labs"
    make_labs_folder(labs)
    make_labs_folder(labs)
    assert labs.stat().st_mode & 0o777 == 0o700
    (labs / "x").mkdir()
    drop_labs_folder(labs)
    assert labs.is_dir()
    (labs / "x").rmdir()
    drop_labs_folder(labs)
    assert list(tmp_path.iterdir()) == []


def test_a_link_in_the_folders_place_is_refused(tmp_path: Path) -> None:
    """In /tmp anybody can put a link where the folder shall be: it is not followed."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "nebula").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="not a folder of yours"):
        make_labs_folder(tmp_path / "nebula/labs")
    assert list((tmp_path / "elsewhere").iterdir()) == []
