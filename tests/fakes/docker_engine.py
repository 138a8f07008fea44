"""A docker sandbox over the executable ``tests/fakes/docker``, and what that one recorded."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from akili_cli.core.sandbox.backends.docker import DockerSandbox
from akili_cli.core.sandbox.settings import SandboxSettings
from akili_cli.domain.clock import SystemClock

IMAGE = "akili-runtime:latest"


@dataclass(frozen=True)
class FakeEngine:
    """The directory the executable works in."""

    state: Path

    @property
    def env(self) -> dict[str, str]:
        return {"PATH": f"{Path(__file__).parent}:/usr/bin:/bin", "DOCKER_HOST": f"unix://{self.state}/docker.sock"}

    def plan(self, **failures: object) -> None:
        (self.state / "plan.json").write_text(json.dumps(failures))

    def calls(self, verb: str) -> list[dict[str, object]]:
        path = self.state / "calls.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        return [call for call in map(json.loads, lines) if call["argv"][0] == verb]

    def arguments(self) -> list[str]:
        """Give the arguments of the last ``docker run``."""
        argv = self.calls("run")[-1]["argv"]
        assert isinstance(argv, list)
        return argv

    def containers(self) -> list[str]:
        return sorted(path.name for path in (self.state / "containers").glob("*"))

    def sandbox(self, env: dict[str, str] | None = None, **settings: object) -> DockerSandbox:
        values = {"type": "docker", "docker": {"image": IMAGE}, **settings}
        checked = SandboxSettings.model_validate(values)
        return DockerSandbox(checked, self.state / "scratch", SystemClock(), env if env is not None else self.env)
