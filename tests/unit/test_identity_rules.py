"""Rules for passwords: off by default; each one when it is set, and who is excepted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from identity_cloud import Cloud, Reply

DAY_S = 86_400
MakeCloud = Callable[..., Cloud]


@pytest.fixture
def make_cloud(tmp_path: Path) -> Iterator[MakeCloud]:
    made: list[Cloud] = []

    def make(**rules: Any) -> Cloud:
        made.append(Cloud(tmp_path, **rules))
        return made[-1]

    yield make
    for cloud in made:
        cloud.close()


def _change(cloud: Cloud, user_id: str, old: str, new: str) -> Reply:
    return cloud.post(f"/users/{user_id}/password", {"user": {"original_password": old, "password": new}}, token="")


def test_lock_out(make_cloud: MakeCloud) -> None:
    """After three wrong ones the right one is refused in the same words, until the time is over."""
    cloud = make_cloud(lockout_failure_attempts=3, lockout_duration_s=600)
    user_id, _, token = cloud.member()
    wrong = [cloud.log_in("alice", "x") for _ in range(3)]
    right = cloud.log_in("alice", "pw")
    assert [reply.status for reply in (*wrong, right)] == [401] * 4
    assert right.body == wrong[0].body
    assert _change(cloud, user_id, "pw", "new").status == 401
    assert cloud.get("/auth/projects", token=token).status == 200
    cloud.clock.now += 601
    assert cloud.log_in("alice", "x").status == 401
    assert cloud.log_in("alice", "pw").status == 201


def test_a_right_password_begins_the_count_anew(make_cloud: MakeCloud) -> None:
    """Only failures in a row lock; others' failures do not, nor does a user that there is not."""
    cloud = make_cloud(lockout_failure_attempts=2)
    cloud.member()
    cloud.member("bob", "other")
    for _ in range(3):
        assert [cloud.log_in(n, "x").status for n in ("alice", "bob", "nobody")] == [401] * 3
        assert cloud.log_in("alice", "pw").status == 201
    assert cloud.log_in("bob", "pw").status == 401


def test_an_administrator_unlocks(make_cloud: MakeCloud) -> None:
    """By enabling the user; and a user can be excepted."""
    cloud = make_cloud(lockout_failure_attempts=1, lockout_duration_s=0)
    user_id, _, _ = cloud.member()
    cloud.log_in("alice", "x")
    cloud.clock.now += 10 * DAY_S
    assert cloud.log_in("alice", "pw").status == 401
    cloud.admin = cloud.log_in("admin", "an admin's password", project="admin").token
    cloud.patch(f"/users/{user_id}", {"user": {"enabled": True}})
    assert cloud.log_in("alice", "pw").status == 201
    options = {"options": {"ignore_lockout_failure_attempts": True}}
    assert cloud.patch(f"/users/{user_id}", {"user": options}).body["user"]["options"] == options["options"]
    cloud.log_in("alice", "x")
    assert cloud.log_in("alice", "pw").status == 201


def test_expiry(make_cloud: MakeCloud) -> None:
    """An expired password does nothing but be changed; it is shown when; a user can be excepted."""
    cloud = make_cloud(password_expires_days=30)
    user_id, _, _ = cloud.member()
    shown = cloud.get(f"/users/{user_id}").body["user"]["password_expires_at"]
    assert shown.startswith("2027-02-14T")
    assert cloud.log_in("alice", "pw").body["token"]["user"]["password_expires_at"] == shown
    cloud.clock.now += 31 * DAY_S
    assert "expired" in cloud.log_in("alice", "pw").body["error"]["message"]
    assert "expired" not in cloud.log_in("alice", "x").body["error"]["message"]
    assert _change(cloud, user_id, "pw", "new").status == 204
    assert cloud.log_in("alice", "new").status == 201
    cloud.admin = cloud.log_in("admin", "an admin's password", project="admin").token
    cloud.clock.now += 31 * DAY_S
    cloud.admin = cloud.log_in("admin", "an admin's password", project="admin").token
    cloud.patch(f"/users/{user_id}", {"user": {"options": {"ignore_password_expiry": True}}})
    assert cloud.log_in("alice", "new").body["token"]["user"]["password_expires_at"] is None


def test_first_use(make_cloud: MakeCloud) -> None:
    """What an administrator sets has to be changed before it is good for anything, by who is not excepted."""
    cloud = make_cloud(change_password_upon_first_use=True)
    user_id = cloud.make("user", name="alice", password="pw")
    assert cloud.log_in("alice", "pw").status == 401
    assert _change(cloud, user_id, "pw", "new").status == 204
    assert cloud.log_in("alice", "new").status == 201
    cloud.patch(f"/users/{user_id}", {"user": {"password": "reset"}})
    assert cloud.log_in("alice", "reset").status == 401
    cloud.make("user", name="robot", password="pw", options={"ignore_change_password_upon_first_use": True})
    assert cloud.log_in("robot", "pw").status == 201


def test_history(make_cloud: MakeCloud) -> None:
    """None of the last three again, counting the present one; the fourth last is forgotten and free."""
    cloud = make_cloud(unique_last_password_count=3)
    user_id = cloud.make("user", name="alice", password="p1")
    assert _change(cloud, user_id, "p1", "p2").status == 204
    assert _change(cloud, user_id, "p2", "p3").status == 204
    assert [_change(cloud, user_id, "p3", f"p{n}").status for n in (1, 2, 3)] == [400] * 3
    assert cloud.log_in("alice", "p3").status == 201
    assert _change(cloud, user_id, "p3", "p4").status == 204
    assert _change(cloud, user_id, "p4", "p1").status == 204


def test_age(make_cloud: MakeCloud) -> None:
    """A new password stays for a while; an administrator may reset it."""
    cloud = make_cloud(minimum_password_age_days=2)
    user_id = cloud.make("user", name="alice", password="p1")
    assert _change(cloud, user_id, "p1", "p2").status == 400
    cloud.patch(f"/users/{user_id}", {"user": {"password": "p2"}})
    cloud.clock.now += 2 * DAY_S + 1
    assert _change(cloud, user_id, "p2", "p3").status == 204


def test_strength(make_cloud: MakeCloud) -> None:
    """For all who set a password, in the administrator's words; what fails changes nothing."""
    words = "seven characters, one of them a digit"
    cloud = make_cloud(password_regex=r"(?=.*\d).{7,}", password_regex_description=words)
    reply = cloud.post("/users", {"user": {"name": "alice", "password": "weak"}})
    assert (reply.status, words in reply.body["error"]["message"]) == (400, True)
    user_id = cloud.make("user", name="alice", password="strong1")
    assert cloud.patch(f"/users/{user_id}", {"user": {"password": "weak"}}).status == 400
    assert _change(cloud, user_id, "strong1", "weak").status == 400
    assert _change(cloud, user_id, "strong1", "strong2").status == 204


def test_a_locked_password(make_cloud: MakeCloud) -> None:
    """``lock_password``: only an administrator changes it."""
    cloud = make_cloud()
    user_id = cloud.make("user", name="alice", password="p1", options={"lock_password": True})
    assert _change(cloud, user_id, "p1", "p2").status == 403
    assert cloud.patch(f"/users/{user_id}", {"user": {"password": "p2"}}).status == 200


def test_the_same_work_for_everybody(make_cloud: MakeCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """One hash of the same cost for a user with a password, a wrong one, a locked one, one without, and nobody."""
    from nebula_controller.identity import passwords

    cloud = make_cloud(lockout_failure_attempts=1)
    cloud.member()
    cloud.member("locked", "other")
    cloud.make("user", name="empty")
    cloud.log_in("locked", "x")
    costs: list[str] = []
    real = passwords.password_matches

    def spy(password: str, hashed: str) -> bool:
        costs.append(hashed[:7])
        return real(password, hashed)

    monkeypatch.setattr(passwords, "password_matches", spy)
    replies = [cloud.log_in(name, "x") for name in ("alice", "locked", "empty", "nobody")]
    assert [reply.status for reply in replies] == [401] * 4
    assert [reply.body for reply in replies] == [replies[0].body] * 4
    assert costs == ["$2b$04$"] * 4
