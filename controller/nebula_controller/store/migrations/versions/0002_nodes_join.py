"""nodes join; ports are counted by host and status."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward only: an older program refuses a newer database."""
    with op.batch_alter_table("ports", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_ports_host"))
        batch_op.create_index("ix_ports_host_status", ["host", "status"], unique=False)
    op.create_table(
        "node_memberships",
        sa.Column("host", sa.String(length=64), nullable=False),
        sa.Column("membership", sa.String(length=36), nullable=False),
        sa.Column("joined_at", sa.String(length=32), nullable=False),
        sa.Column("token_id", sa.String(length=8), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=False),
        sa.Column("revoked_at", sa.String(length=32), nullable=True),
        sa.PrimaryKeyConstraint("host", name=op.f("pk_node_memberships")),
    )
    op.create_table(
        "join_tokens",
        sa.Column("id", sa.String(length=8), nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("host", sa.String(length=64), nullable=True),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=False),
        sa.Column("used_at", sa.String(length=32), nullable=True),
        sa.Column("used_by", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_join_tokens")),
    )
