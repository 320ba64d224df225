"""Shell lines and clouds.yaml."""

import shlex
import subprocess
from pathlib import Path

import pytest
import yaml
from nebula_lab.cloud import Credentials
from nebula_lab.environment import cloud_name, clouds_file, merged_clouds, shell_lines, write_cloud

from nebula.errors import ConfigError

WHO = Credentials(
    auth_url="http://127.0.0.1:4000/identity/v3", username="admin", password="it's $HOME", project_name="admin"
)
OTHERS = """\
# my clouds
cache:
  expiration_time: 3600
clouds:
    # the big one
    prod:
        auth:
            auth_url: https://cloud.example/v3   # keep this
            password: "x: y"
        region_name: R1

    nebula:  # old
        auth:
            auth_url: http://127.0.0.1:1
    # the last one
    zz: {profile: other}
client:
  force_ipv4: true
"""


def test_shell_lines_survive_any_password() -> None:
    """What a shell reads from the lines is what was meant, whatever stands in the password."""
    script = shell_lines(WHO) + 'printf "%s|%s" "$OS_PASSWORD" "${OS_CLOUD-unset}"'
    out = subprocess.run(["sh", "-c", script], env={"OS_CLOUD": "other"}, capture_output=True, text=True, check=True)
    assert out.stdout == "it's $HOME|unset"
    assert all(shlex.split(line) for line in shell_lines(WHO).splitlines())


def test_a_new_file_has_the_entry() -> None:
    """An empty clouds.yaml gets a whole entry."""
    assert yaml.safe_load(merged_clouds("", "nebula", WHO)) == {
        "clouds": {
            "nebula": {
                "auth": {
                    "auth_url": "http://127.0.0.1:4000/identity/v3",
                    "username": "admin",
                    "password": "it's $HOME",
                    "project_name": "admin",
                    "user_domain_name": "Default",
                    "project_domain_name": "Default",
                },
                "identity_api_version": "3",
            }
        }
    }


@pytest.mark.parametrize("name", ["nebula", "nebula-two", "prod", "zz"])
def test_other_entries_and_comments_stay(name: str) -> None:
    """The entry is put in or replaced; every other entry means the same, every other comment is still there."""
    before, text = yaml.safe_load(OTHERS), merged_clouds(OTHERS, name, WHO)
    after = yaml.safe_load(text)
    assert after["clouds"].pop(name)["auth"]["auth_url"] == WHO.auth_url
    before["clouds"].pop(name, None)
    assert after == before
    kept = {"# my clouds", "# the last one", "# the big one"} | ({"# keep this"} if name != "prod" else set())
    assert {comment for comment in kept if comment in text} == kept


def test_merging_again_changes_nothing() -> None:
    """A second write of the same entry gives the same bytes."""
    once = merged_clouds(OTHERS, "nebula", WHO)
    assert merged_clouds(once, "nebula", WHO) == once


@pytest.mark.parametrize("text", ["clouds: {a: {}}\n", '{"clouds": {}}', "clouds: *x\n"])
def test_a_form_that_is_not_understood_is_left_alone(text: str, tmp_path: Path) -> None:
    """Where the entry cannot be put in safely the file stays as it is, and a line says so."""
    path = tmp_path / "clouds.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match="left as it is"):
        write_cloud(path, "nebula", WHO)
    assert [path.read_text(), *tmp_path.iterdir()] == [text, path]


def test_file_is_private_when_new_and_keeps_its_mode_and_link(tmp_path: Path) -> None:
    """A new file is 0600 (it holds a password); a link stays a link, its target keeps its mode."""
    fresh = tmp_path / "new/clouds.yaml"
    write_cloud(fresh, "nebula", WHO)
    real, link = tmp_path / "real.yaml", tmp_path / "clouds.yaml"
    real.write_text("")
    real.chmod(0o640)
    link.symlink_to(real)
    write_cloud(link, "nebula", WHO)
    assert (fresh.stat().st_mode & 0o777, real.stat().st_mode & 0o777, link.is_symlink()) == (0o600, 0o640, True)
    assert yaml.safe_load(real.read_text())["clouds"].keys() == {"nebula"}


def test_names_and_places() -> None:
    """Each lab has a cloud name of its own, and the file is where the openstack client looks."""
    assert [cloud_name(lab) for lab in ("nebula", "two", "nebula-two")] == ["nebula", "nebula-two", "nebula-nebula-two"]
    assert clouds_file({"OS_CLIENT_CONFIG_FILE": "/a/b"}) == Path("/a/b")
    assert clouds_file({"HOME": "/h"}) == Path("/h/.config/openstack/clouds.yaml")
