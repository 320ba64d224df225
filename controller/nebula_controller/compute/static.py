"""What never changes: versions, one flavor, one image. Pure.

The ``openstack`` client creates no server without a flavor and an image, so there is one of each, and they say what an
instance is here: a network namespace, with no disk, no memory and no CPU of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

FLAVOR_ID = "namespace"
IMAGE_ID = "6e616d65-7370-4163-a500-000000000001"
NAME = "namespace"
SINCE = "2026-01-01T00:00:00Z"
_NO_FILTERS = frozenset({"limit", "sort", "sort_key", "sort_dir", "member_status", "os_hidden"})


def flavor(url: str) -> dict[str, Any]:
    """Nova's flavor, with nothing in it."""
    return {
        "id": FLAVOR_ID,
        "name": NAME,
        "description": "A network namespace with a DHCP client",
        "ram": 0,
        "disk": 0,
        "vcpus": 0,
        "swap": "",
        "rxtx_factor": 1.0,
        "OS-FLV-EXT-DATA:ephemeral": 0,
        "OS-FLV-DISABLED:disabled": False,
        "os-flavor-access:is_public": True,
        "links": [{"rel": "self", "href": f"{url}/flavors/{FLAVOR_ID}"}],
    }


def image() -> dict[str, Any]:
    """Glance's image, with nothing in it."""
    return {
        "id": IMAGE_ID,
        "name": NAME,
        "status": "active",
        "visibility": "public",
        "protected": True,
        "container_format": "bare",
        "disk_format": "raw",
        "size": 0,
        "min_disk": 0,
        "min_ram": 0,
        "tags": [],
        "created_at": SINCE,
        "updated_at": SINCE,
        "self": f"/v2/images/{IMAGE_ID}",
        "file": f"/v2/images/{IMAGE_ID}/file",
        "schema": "/v2/schemas/image",
    }


def is_listed(query: Sequence[tuple[str, str]]) -> bool:
    """Whether the image is in a list with these filters. It belongs to no project; nothing comes after it."""
    found = image()
    return all(
        name != "marker" and str(found.get(name)).lower() == value.lower()
        for name, value in query
        if name not in _NO_FILTERS and (name, value) != ("visibility", "all")
    )


def compute_version(url: str) -> dict[str, Any]:
    """Nova's version document; only the first microversion is spoken."""
    return {
        "id": "v2.1",
        "status": "CURRENT",
        "version": "2.1",
        "min_version": "2.1",
        "updated": "2013-07-23T11:33:21Z",
        "links": [{"rel": "self", "href": f"{url}/"}],
        "media-types": [
            {"base": "application/json", "type": "application/vnd.openstack.compute+json;version=2.1"},
        ],
    }


def image_versions(url: str) -> dict[str, Any]:
    """Glance's list of versions."""
    return {
        "versions": [{"id": "v2.0", "status": "CURRENT", "links": [{"rel": "self", "href": f"{url}/v2/"}]}],
    }
