"""Alembic's folder; see README.md."""
