"""revoked nodes are shut out of the others' tunnels."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward only: an older program refuses a newer database."""
    with op.batch_alter_table("nodes", schema=None) as batch_op:
        batch_op.add_column(sa.Column("shut_out", sa.Boolean(), nullable=True))
    op.execute("UPDATE nodes SET shut_out = host IN (SELECT host FROM node_memberships WHERE revoked_at IS NOT NULL)")
    with op.batch_alter_table("nodes", schema=None) as batch_op:
        batch_op.alter_column("shut_out", nullable=False)
