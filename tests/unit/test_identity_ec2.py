"""EC2-style key pairs, generic credentials, and the signatures of Amazon's versions 2 and 4."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from identity_cloud import Cloud
from nebula_controller.identity import ec2signature
from nebula_controller.identity.ec2signature import SignedRequest, signature_matches, signed_at

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
"""SHA-256 of nothing."""

VANILLA = SignedRequest(
    signature="5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    host="example.amazonaws.com",
    headers={
        "X-Amz-Date": "20150830T123600Z",
        "Authorization": "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        "SignedHeaders=host;x-amz-date, Signature=5fa00f",
    },
    body_hash=EMPTY,
)
"""``get-vanilla`` of Amazon's own test suite for version 4."""
VANILLA_SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    made = Cloud(tmp_path)
    yield made
    made.close()


def test_version_4_as_amazon_publishes_it() -> None:
    """The published signature of the published request is right; with another secret, path or port it is not."""
    assert signature_matches(VANILLA, VANILLA_SECRET)
    assert signature_matches(msgspec.structs.replace(VANILLA, host="example.amazonaws.com:443"), VANILLA_SECRET)
    assert not signature_matches(VANILLA, "x")
    assert not signature_matches(msgspec.structs.replace(VANILLA, path="/x"), VANILLA_SECRET)
    assert signed_at(VANILLA) == 1440938160.0


def test_pairs(cloud: Cloud) -> None:
    """Made for oneself, shown with the secret, also as generic credentials; deleted by its access key."""
    user_id, project_id, token = cloud.member()
    path = f"/users/{user_id}/credentials/OS-EC2"
    reply = cloud.post(path, {"tenant_id": project_id}, token=token)
    pair = reply.body["credential"]
    assert (reply.status, pair["user_id"], pair["tenant_id"], pair["trust_id"]) == (201, user_id, project_id, None)
    assert cloud.get(path, token=token).body["credentials"] == [pair]
    assert cloud.get(f"{path}/{pair['access']}", token=token).body["credential"] == pair
    generic = cloud.get("/credentials?type=ec2", token=token).body["credentials"]
    assert json.loads(generic[0]["blob"])["secret"] == pair["secret"]
    assert cloud.get(f"/credentials/{generic[0]['id']}", token=token).status == 200
    stored = (cloud.database.path.parent / "nebula.sqlite-wal").read_bytes() + cloud.database.path.read_bytes()
    assert pair["secret"].encode() not in stored
    assert cloud.delete(f"{path}/{pair['access']}", token=token).status == 204
    assert cloud.get(f"{path}/{pair['access']}", token=token).status == 404
    assert cloud.post(path, {"tenant_id": "none"}, token=token).status == 404
    assert cloud.post(path, {}, token=token).status == 400


def test_walls(cloud: Cloud) -> None:
    """Others' credentials are neither seen nor touched."""
    user_id, project_id, token = cloud.member()
    other_id, _, other = cloud.member("bob", "other")
    path = f"/users/{user_id}/credentials/OS-EC2"
    pair = cloud.post(path, {"tenant_id": project_id}, token=token).body["credential"]
    generic = cloud.get("/credentials", token=token).body["credentials"][0]["id"]
    assert cloud.get("/credentials", token=other).body["credentials"] == []
    assert [
        cloud.get(p, token=other).status for p in (path, f"{path}/{pair['access']}", f"/credentials/{generic}")
    ] == [
        403,
        403,
        403,
    ]
    assert cloud.delete(f"/credentials/{generic}", token=other).status == 403
    assert cloud.patch(f"/credentials/{generic}", {"credential": {"user_id": other_id}}, token=token).status == 403
    assert cloud.get(f"/users/{other_id}/credentials/OS-EC2/{pair['access']}", token=other).status == 404


def test_generic_credentials(cloud: Cloud) -> None:
    """Any text of any type; changed and deleted; ec2 blobs have their form."""
    user_id, project_id, token = cloud.member()
    body: dict[str, Any] = {"type": "totp", "blob": "JBSWY3DPEHPK3PXP", "note": "x"}
    made = cloud.post("/credentials", {"credential": body}, token=token).body["credential"]
    assert (made["user_id"], made["project_id"], made["blob"], made["note"]) == (user_id, None, body["blob"], "x")
    path = f"/credentials/{made['id']}"
    assert cloud.patch(path, {"credential": {"blob": "new"}}, token=token).body["credential"]["blob"] == "new"
    assert cloud.patch(path, {"credential": {"type": "ec2"}}, token=token).status == 400
    assert cloud.delete(path, token=token).status == 204
    assert cloud.get(path, token=token).status == 403
    assert cloud.get(path).status == 404
    for blob, project, status in (("x", project_id, 400), ('{"access": "a", "secret": "s"}', None, 400)):
        body = {"type": "ec2", "blob": blob, "project_id": project}
        assert cloud.post("/credentials", {"credential": body}, token=token).status == status
    body = {"type": "ec2", "blob": '{"access": "a", "secret": "s"}', "project_id": project_id}
    assert [cloud.post("/credentials", {"credential": body}, token=token).status for _ in range(2)] == [201, 409]


def _signed(secret: str, access: str) -> dict[str, Any]:
    request = SignedRequest(
        access=access,
        signature="",
        host="cloud.example",
        params={"SignatureVersion": "2", "Action": "DescribeInstances", "AWSAccessKeyId": access},
    )
    signature = next(ec2signature._signatures(request, secret.encode()))
    return msgspec.to_builtins(msgspec.structs.replace(request, signature=signature))


def test_logging_in_with_a_signature(cloud: Cloud) -> None:
    """A service gets the token of whom the signature is; a wrong one, an unknown key and an old request are 401."""
    user_id, project_id, token = cloud.member()
    pair = cloud.post(f"/users/{user_id}/credentials/OS-EC2", {"tenant_id": project_id}, token=token).body["credential"]
    good = _signed(pair["secret"], pair["access"])
    reply = cloud.post("/ec2tokens", {"credentials": good})
    assert (reply.status, reply.body["token"]["methods"]) == (200, ["ec2credential"])
    assert cloud.get("/auth/projects", token=reply.token).body["projects"][0]["id"] == project_id
    assert cloud.post("/ec2tokens", {"credentials": good}, token=token).status == 403
    for bad in (_signed("x", pair["access"]), _signed(pair["secret"], "unknown")):
        assert cloud.post("/ec2tokens", {"credentials": bad}).status == 401
    old = {**msgspec.to_builtins(VANILLA), "access": pair["access"]}
    assert cloud.post("/ec2tokens", {"credentials": old}).status == 401
    for form in ({}, {"credentials": {}}, {"credentials": {"signature": "x", "access": pair["access"]}}):
        assert cloud.post("/ec2tokens", form).status == 400
