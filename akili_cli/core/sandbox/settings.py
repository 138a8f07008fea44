"""Limits of the sandbox, as config writes them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

LayerName = Literal["files", "network", "processes", "syscalls", "limits", "identity", "cgroup"]

_NAME = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
IMAGE_PATTERN = (
    rf"^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{{1,5}})?/)?{_NAME}(?:/{_NAME})*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?$"
)


class DockerSettings(BaseModel):
    """``sandbox.docker``: what ``type: docker`` runs commands in."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    image: str | None = Field(None, max_length=255, pattern=IMAGE_PATTERN, description="required; never pulled")
    cpu_cores: float = Field(1.0, gt=0, le=64, strict=False)
    pids_limit: int = Field(64, ge=1, le=65_536)


class SandboxSettings(BaseModel):
    """``sandbox``: what every command may use at most, and which layers must hold."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    type: Literal["process", "docker"] = "process"
    docker: DockerSettings = DockerSettings.model_validate({})
    max_cpu_cores: int = Field(0, ge=0, le=64, description="CPU seconds = cores x 60; 0 means 60")
    max_memory_mb: int = Field(512, ge=16, le=1_048_576)
    max_execution_seconds: int = Field(30, ge=1, le=86_400, description="the default timeout, and the longest")
    max_output_bytes: int = Field(1_048_576, ge=1024, le=67_108_864)
    max_processes: int = Field(256, ge=1, le=65_536)
    max_file_mb: int = Field(64, ge=1, le=1_048_576)
    max_disk_mb: int = Field(512, ge=1, le=1_048_576, description="what one command may put on disk altogether")
    require: tuple[LayerName, ...] = Field((), strict=False, description="layers without which nothing runs")
