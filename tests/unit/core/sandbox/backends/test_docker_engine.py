from __future__ import annotations

import os
import subprocess
from pathlib import Path

from akili_cli.core.sandbox.backends.docker_client import DockerClient
from akili_cli.core.sandbox.backends.docker_engine import look, owner_labels, sweep
from akili_cli.core.sandbox.probe import LAYERS
from tests.fakes.docker_engine import IMAGE, FakeEngine


def test_a_whole_engine_holds_every_layer(tmp_path: Path) -> None:
    layers = look(DockerClient(FakeEngine(tmp_path).env), IMAGE).layers()
    assert [layer.name for layer in layers if layer.active] == list(LAYERS)


def test_the_image_cannot_become_an_option(tmp_path: Path) -> None:
    engine = FakeEngine(tmp_path)
    look(DockerClient(engine.env), IMAGE)
    assert engine.calls("image")[0]["argv"] == ["image", "inspect", "--format", "{{json .Id}}", "--", IMAGE]


def test_info_that_makes_no_sense_costs_the_layers_it_would_prove(tmp_path: Path) -> None:
    engine = FakeEngine(tmp_path)
    engine.plan(says={"info": "[" * 100_000})
    missing = [layer.name for layer in look(DockerClient(engine.env), IMAGE).layers() if not layer.active]
    assert missing == ["syscalls", "limits", "cgroup"]


def test_two_processes_have_different_labels() -> None:
    here = owner_labels()
    code = (
        "from akili_cli.core.sandbox.backends.docker_engine import owner_labels; print(owner_labels()['akili.owner'])"
    )
    root = Path(__file__).parents[5]
    there = subprocess.run(["python3", "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert here["akili.sandbox"] == str(os.getpid())
    assert there.stdout.strip() != here["akili.owner"]
    assert there.stdout.partition("-")[0] == here["akili.owner"].partition("-")[0]


def test_a_sweep_that_cannot_ask_removes_nothing(tmp_path: Path) -> None:
    engine = FakeEngine(tmp_path)
    for plan in ({"down_for": ["ps"]}, {"says": {"ps": "akili-sbx-zz 1 2\n\n x \n"}}):
        engine.plan(**plan)
        assert sweep(DockerClient(engine.env)) == ()
    assert engine.calls("rm") == []
