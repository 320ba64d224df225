"""Nouns of identity beyond projects, users and roles. Pure; titles and order are the openstack client's."""

from __future__ import annotations

from nebulactl.nouns import Form, Noun

GROUP = Noun(in_domain=True, declared="identity:GROUP")

SERVICE = Noun(declared="identity:SERVICE")

REGION = Noun(declared="identity:REGION", renamed={"id": "region", "parent_region_id": "parent_region"})

ENDPOINT = Noun(declared="identity:ENDPOINT")

APPLICATION_CREDENTIAL = Noun(
    declared="credential:APPLICATION_CREDENTIAL",
    titled=True,
    forms={"roles": Form.NAMES},
)

EC2 = Noun(
    declared="credential:EC2_CREDENTIAL",
    renamed={"tenant_id": "project_id"},
    name_attribute="access",
)

CREDENTIAL = Noun(declared="credential:CREDENTIAL")

LIMIT = Noun(declared="identity:LIMIT", unknown=frozenset({"domain_id"}))

REGISTERED_LIMIT = Noun(declared="identity:REGISTERED_LIMIT")

POLICY = Noun(declared="identity:POLICY", renamed={"blob": "rules"})
