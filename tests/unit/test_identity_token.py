"""Tokens as text, the key repository, password hashes."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from identity_cloud import ADMIN_PASSWORD, Cloud
from nebula_controller.identity import token as tokens
from nebula_controller.identity.keys import KeyRepository
from nebula_controller.identity.measure import measure
from nebula_controller.identity.passwords import Passwords, hash_password, password_matches
from nebula_controller.identity.token import ScopeKind, TokenCodec, TokenContent, new_audit_id
from nebula_controller.settings import Settings
from nebula_controller.store.tables import identity as tables
from sqlalchemy import select

from nebula.errors import ConfigError, Unauthorized

CONTENT = TokenContent(
    user_id="0f3c1b2a4d5e46f7a8b9c0d1e2f30415",
    methods=("password", "token"),
    scope=ScopeKind.PROJECT,
    scope_id="e46dba1da25046ddb861d55e2a3faa8d",
    issued_at=1_800_000_000.25,
    expires_at=1_800_003_600.25,
    audit_ids=(new_audit_id(), new_audit_id()),
)


@pytest.fixture
def keys(tmp_path: Path) -> KeyRepository:
    repository = KeyRepository(tmp_path / "keys")
    repository.make_if_absent()
    return repository


@given(st.text(max_size=64), st.sampled_from(ScopeKind), st.sets(st.sampled_from(["password", "token"]), min_size=1))
def test_pack_keeps_every_id(identifier: str, scope: ScopeKind, methods: set[str]) -> None:
    """Whatever an id looks like, it comes back as it was."""
    assert tokens._unpack(tokens._pack(identifier)) == identifier


def test_content_comes_back_whole(keys: KeyRepository) -> None:
    """A token says what was put into it, is below 255 characters, and needs no quoting in a header or URL."""
    codec = TokenCodec(keys)
    text = codec.encode(CONTENT)
    assert codec.decode(text) == CONTENT
    assert len(text) < 255
    assert text.replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize("text", ["", "x", "gAAAA", "ä" * 10, "a" * 5000, "gAAAAABrAva85UbEMkL5TmqUdny_tZCGZ", "\0"])
def test_foreign_text_is_refused(keys: KeyRepository, text: str) -> None:
    """What no key of ours made is Unauthorized, never another error."""
    with pytest.raises(Unauthorized):
        TokenCodec(keys).decode(text)


def test_one_changed_character_is_refused(keys: KeyRepository) -> None:
    """No character of a token can be changed."""
    codec = TokenCodec(keys)
    text = codec.encode(CONTENT)
    for place in range(0, len(text) - 1, 7):
        other = "A" if text[place] != "A" else "B"
        with pytest.raises(Unauthorized):
            codec.decode(text[:place] + other + text[place + 1 :])


def test_keys_read_again_are_the_same_generation(keys: KeyRepository) -> None:
    """A folder that has just been touched is read at every look; what is remembered by its keys stays good."""
    before = keys.generation()
    (keys.folder / "note").touch()
    assert keys.generation() == before
    keys.rotate()
    assert keys.generation() == before + 1


def test_rotation(keys: KeyRepository) -> None:
    """A token outlives rotations as long as its key is kept: three keys are one rotation as secondary."""
    codec = TokenCodec(keys)
    first = codec.encode(CONTENT)
    staged = (keys.folder / "0").read_bytes()
    assert keys.rotate() == 2
    assert (keys.folder / "2").read_bytes() == staged
    assert sorted(path.name for path in keys.folder.iterdir()) == ["0", "1", "2"]
    assert KeyRepository(keys.folder).cipher() is not None
    second = TokenCodec(KeyRepository(keys.folder)).encode(CONTENT)
    assert TokenCodec(KeyRepository(keys.folder)).decode(first) == CONTENT
    assert keys.rotate() == 3
    assert sorted(path.name for path in keys.folder.iterdir()) == ["0", "2", "3"]
    later = TokenCodec(KeyRepository(keys.folder))
    assert later.decode(second) == CONTENT
    with pytest.raises(Unauthorized):
        later.decode(first)


def test_key_files_are_for_us_only(keys: KeyRepository) -> None:
    """The folder is 0700, each key 0600."""
    assert stat.S_IMODE(keys.folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in keys.folder.iterdir()} == {0o600}


def test_a_broken_key_is_named(keys: KeyRepository) -> None:
    """A file that is no key is an error that names the folder."""
    (keys.folder / "1").write_text("not a key")
    with pytest.raises(ConfigError, match="keys"):
        KeyRepository(keys.folder).cipher()


def test_password_hash() -> None:
    """Only the same password matches, also beyond bcrypt's 72 bytes and after a NUL; each hash has its own salt."""
    long = "x" * 72
    for password, other in (("a", "b"), (f"{long}1", f"{long}2"), ("a\0b", "a\0c"), ("ä", "a"), ("", " ")):
        hashed = hash_password(password, 4)
        assert password_matches(password, hashed)
        assert not password_matches(other, hashed)
    assert hash_password("a", 4) != hash_password("a", 4)


def test_a_hash_costs_what_owasp_asks_for() -> None:
    """Where nothing else is set, ten rounds (Password Storage Cheat Sheet)."""
    assert Settings().password_hash_rounds == 10
    assert hash_password("a").startswith("$2b$10$")


def test_overlong_password_never_matches() -> None:
    """As Keystone's max_password_length."""
    password = "x" * 4097
    assert not password_matches(password, hash_password(password, 4))


def test_check_against_nobody_costs_a_hash() -> None:
    """Where there is no user, the same work is done with the same cost, and the answer is no."""
    passwords = Passwords(5)
    try:
        assert asyncio.run(passwords.check("anything", None)) is False
        assert passwords._nobody[:7] == hash_password("x", 5)[:7]
        assert len(passwords._nobody) == len(hash_password("x", 5))
    finally:
        passwords.close()


def test_a_running_controller_forgets_tokens_of_a_dropped_key(tmp_path: Path) -> None:
    """A token that was validated before is void once another process has rotated its key away; others stay good."""
    cloud = Cloud(tmp_path)
    try:
        assert cloud.get("/auth/projects").status == 200
        other_process = KeyRepository(cloud.keys.folder)
        other_process.rotate()
        assert cloud.get("/auth/projects").status == 200
        later = cloud.log_in("admin", ADMIN_PASSWORD).token
        assert cloud.get("/auth/projects", token=later).status == 200
        other_process.rotate()
        assert cloud.get("/auth/projects").status == 401
        assert cloud.get("/auth/projects", token=later).status == 200
    finally:
        cloud.close()


def test_a_token_says_its_scope_to_all_services(tmp_path: Path) -> None:
    """Project, domain, system or none: exactly what the policies of other services ask for."""
    cloud = Cloud(tmp_path)
    try:
        user_id, project_id, on_project = cloud.member()
        cloud.put(f"/domains/default/users/{user_id}/roles/{cloud.role('reader')}")
        on_domain = cloud.log_in("alice", "pw", scope={"domain": {"id": "default"}}).token
        on_system = cloud.log_in("admin", ADMIN_PASSWORD, scope={"system": {"all": True}}).token
        unscoped = cloud.log_in("alice", "pw").token
        callers = [
            cloud.site.authenticator.authenticate(token) for token in (on_project, on_domain, on_system, unscoped)
        ]
        assert [(caller.project_id, caller.domain_id, caller.system_scope) for caller in callers] == [
            (project_id, None, False),
            (None, "default", False),
            (None, None, True),
            (None, None, False),
        ]
    finally:
        cloud.close()


@pytest.fixture
def uuid_cloud(tmp_path: Path) -> Iterator[Cloud]:
    made = Cloud(tmp_path, provider="uuid")
    yield made
    made.close()


def test_uuid_tokens_live_and_end_as_fernet_ones_do(uuid_cloud: Cloud) -> None:
    """Validated, rescoped, given back, voided by a change; a made-up one is nobody's."""
    cloud = uuid_cloud
    user_id, project_id, token = cloud.member()
    assert (len(token), token.isalnum()) == (32, True)
    assert cloud.get("/auth/tokens", subject=token).body["token"]["project"]["id"] == project_id
    again = cloud.authenticate({"methods": ["token"], "token": {"id": token}}, {"project": {"id": project_id}})
    assert cloud.delete("/auth/tokens", token=token, subject=token).status == 204
    assert cloud.get("/auth/projects", token=token).status == 401
    assert cloud.get("/auth/projects", token=again.token).status == 200
    cloud.patch(f"/users/{user_id}", {"user": {"enabled": False}})
    assert cloud.get("/auth/projects", token=again.token).status == 401
    for made_up in ("0" * 32, "x", "gAAAAA" + "x" * 180):
        assert cloud.get("/auth/projects", token=made_up).status == 401


def test_uuid_tokens_have_rows_until_they_expire(uuid_cloud: Cloud) -> None:
    """One for each, which does not hold the token; those that have expired go when the next one is made."""
    cloud = uuid_cloud

    def rows() -> list[str]:
        with cloud.database.read() as tx:
            return list(tx.execute(select(tables.tokens.c.id)).scalars())

    cloud.log_in("admin", ADMIN_PASSWORD)
    assert len(rows()) == 2
    assert cloud.admin not in rows()
    cloud.clock.now += 3601
    assert cloud.get("/auth/projects").status == 401
    cloud.log_in("admin", ADMIN_PASSWORD)
    assert len(rows()) == 1


def test_token_figures() -> None:
    """Fernet keeps no row and looks once less into the database; what is remembered needs no look-up with either."""
    fernet, uuid = measure(10)
    assert (fernet.provider, fernet.rows, uuid.provider, uuid.rows) == ("fernet", 0, "uuid", 1)
    assert uuid.first_lookups - fernet.first_lookups == 1
    assert (fernet.again_lookups, uuid.again_lookups) == (0, 0)
    assert min(fernet.first_per_s, fernet.again_per_s, uuid.first_per_s, uuid.again_per_s) > 0
