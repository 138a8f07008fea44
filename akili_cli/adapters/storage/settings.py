"""Where state lives."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator


class SqliteSettings(BaseModel):
    """``storage.sqlite``: ``path`` None means ``akili.db`` in the workspace."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    path: str | None = None
    journal_mode: Literal["wal"] = "wal"


class PostgresSettings(BaseModel):
    """``storage.postgres``: the DSN may be a reference (``env://NAME``).

    ``max_idle_conns`` connections are kept open when they are not used, none longer than ``conn_max_lifetime_s``.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    dsn: str | None = None
    max_open_conns: int = Field(25, ge=1, le=1000)
    max_idle_conns: int = Field(5, ge=0, le=1000)
    conn_max_lifetime_s: int = Field(1800, ge=1)
    default_org_name: str = Field("default", min_length=1, max_length=100)

    @field_validator("default_org_name")
    @classmethod
    def _is_a_name(cls, name: str) -> str:
        if not name.isprintable() or not name.strip():
            raise ValueError("an organisation's name is plain text with at least one letter")
        return name


class StorageSettings(BaseModel):
    """``storage``: SQLite in the workspace, or PostgreSQL."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    driver: Literal["sqlite", "postgres"] = "sqlite"
    sqlite: SqliteSettings = SqliteSettings()
    postgres: PostgresSettings = PostgresSettings()
