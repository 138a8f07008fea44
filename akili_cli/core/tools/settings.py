"""Settings of the built-in tools."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class FileToolSettings(BaseModel):
    """``tools.file``: empty ``allowed_paths`` means no path at all."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    allowed_paths: tuple[str, ...] = Field((), strict=False)
    max_file_size_bytes: int = Field(10_485_760, ge=1)


class WebToolSettings(BaseModel):
    """``tools.web``: empty ``allowed_domains`` means no host at all."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    allowed_domains: tuple[str, ...] = Field((), strict=False)
    allowed_private_hosts: tuple[str, ...] = Field(
        (), strict=False, description="host:port let past the private-range check"
    )
    allowed_ports: tuple[int, ...] = Field((80, 443), strict=False)
    max_response_bytes: int = Field(5_242_880, ge=1)
    timeout_seconds: int = Field(10, ge=1, le=600)


class GitToolSettings(BaseModel):
    """``tools.git``: empty ``allowed_paths`` means no repository at all."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    allowed_paths: tuple[str, ...] = Field((), strict=False)


class CodeToolSettings(BaseModel):
    """``tools.code``: empty ``allowed_languages`` means no code at all."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    allowed_languages: tuple[Literal["python3", "python", "sh", "bash"], ...] = Field((), strict=False)


class ToolSettings(BaseModel):
    """``tools``: one section a tool."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    file: FileToolSettings = FileToolSettings()
    web: WebToolSettings = WebToolSettings()
    git: GitToolSettings = GitToolSettings()
    code: CodeToolSettings = CodeToolSettings()
