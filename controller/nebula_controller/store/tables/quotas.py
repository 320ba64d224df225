"""Limits of projects. Pure declaration. What has no row here has the default of the settings."""

from __future__ import annotations

from sqlalchemy import Column, Integer, String, Table

from nebula_controller.store.metadata import metadata

quotas = Table(
    "quotas",
    metadata,
    Column("project_id", String(255), primary_key=True),
    Column("resource", String(64), primary_key=True),
    Column("limit", Integer, nullable=False),
)
"""``resource`` is the API's singular (``security_group_rule``); ``limit`` -1 is none."""
