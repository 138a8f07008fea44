from __future__ import annotations

import pytest

from akili_cli.core.sandbox.probe import LAYERS, Probe


@pytest.mark.parametrize("root", [True, False], ids=["root", "user"])
def test_a_machine_with_everything_has_every_layer(root: bool) -> None:
    layers = Probe(root=root).layers()
    assert tuple(layer.name for layer in layers) == LAYERS
    assert all(layer.active and layer.detail for layer in layers)


@pytest.mark.parametrize(
    ("root", "step", "layer"),
    [
        (True, "landlock", "files"),
        (True, "seccomp", "network"),
        (True, "seccomp", "syscalls"),
        (True, "pid_namespace", "processes"),
        (False, "user_namespace", "processes"),
        (True, "limits", "limits"),
        (True, "nobody", "identity"),
        (False, "identity", "identity"),
    ],
)
def test_a_failed_step_takes_its_layer_and_gives_the_reason(root: bool, step: str, layer: str) -> None:
    found = {each.name: each for each in Probe(root=root, failed={step: "Operation not permitted"}).layers()}
    assert not found[layer].active
    assert "Operation not permitted" in found[layer].detail


@pytest.mark.parametrize(
    ("step", "layer", "said"),
    [("mount_namespace", "files", "git hooks"), ("net_namespace", "network", "permits with hosts are refused")],
)
def test_what_is_lost_without_a_namespace_is_said_with_the_reason_and_the_fix(step: str, layer: str, said: str) -> None:
    found = {each.name: each for each in Probe(root=True, failed={step: "not permitted"}).layers()}
    assert found[layer].active
    assert "not permitted" in found[layer].detail
    assert said in found[layer].detail
    assert "user namespaces" in found[layer].fix


def test_a_missing_private_proc_is_said_but_takes_no_layer() -> None:
    found = {each.name: each for each in Probe(root=True, failed={"proc": "masked"}).layers()}
    assert found["processes"].active
    assert "no /proc of its own (masked): command lines" in found["processes"].detail


def test_only_steps_for_this_uid_are_wanted() -> None:
    assert "nobody" not in Probe(root=False).wanted()
    assert not Probe(root=False).works("nobody")
    assert not Probe(root=True).works("user_namespace")


@pytest.mark.parametrize("step", ["owners", "mount_namespace", "landlock", "seccomp"])
def test_what_root_alone_may_change_is_said_to_stay_closed_where_a_step_for_it_is_missing(step: str) -> None:
    probe = Probe(root=True, failed={step: "no such thing"})
    identity = {each.name: each for each in probe.layers()}["identity"]
    assert identity.active
    assert f"cannot be changed ({step}: no such thing)" in identity.detail
    assert "CAP_SYS_ADMIN" in identity.fix
    assert probe.cannot_act_for_owners(mapped=True) == f"{step}: no such thing"
    assert bool(probe.cannot_act_for_owners(mapped=False)) is (step != "owners")


def test_an_ordinary_user_has_no_files_of_others_to_speak_of() -> None:
    identity = {each.name: each for each in Probe(root=False).layers()}["identity"]
    assert "root" not in identity.detail
