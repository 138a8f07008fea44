from __future__ import annotations

from pathlib import Path

import pytest

from akili_cli.core.sandbox import inside
from akili_cli.core.sandbox.backends.fields import limits_of
from akili_cli.core.sandbox.backends.process import ProcessSandbox
from akili_cli.core.sandbox.base import ExecRequest
from akili_cli.core.sandbox.settings import SandboxSettings
from akili_cli.domain.clock import SystemClock
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import SandboxError
from tests.fakes.confined import confined
from tests.fakes.permits import permit_for


def test_the_steps_come_in_the_order_that_works() -> None:
    wanted = ["mount_namespace", "proc", "landlock", "nobody", "process_count", "seccomp"]
    names = [name for name, _ in inside._steps({"layers": [name.encode() for name in wanted]})]
    order = ["mount_namespace", "proc", "landlock", "cwd", "nobody", "process_count", "identity"]
    assert names == [*order, "landlock", "limits", "seccomp", "limits"]


def test_a_step_that_is_not_wanted_is_not_taken() -> None:
    names = [name for name, _ in inside._steps({"layers": []})]
    assert set(names) == {"limits", "cwd", "identity"}


def test_what_no_permit_changes_is_prepared_and_a_failure_is_kept_for_the_command_that_needs_it() -> None:
    code = """
        from akili_cli.core.sandbox import inside, kernel
        kernel.unshare(0x10000000)
        failed = {}
        assert inside._prepare({"layers": [b"ipc_namespace"]}, failed) is None
        assert open("/proc/self/oom_score_adj").read() == "1000\\n"
        setup = {"layers": [b"landlock"], "base_paths": [b"/usr"], "base_rights": [b"13"]}
        assert inside._prepare(setup, failed) > 2
        assert failed == {}
        """
    assert confined(code) == ""
    failed = {"net_namespace": [b"no"]}
    inside._refuse_missing({"layers": [b"landlock"]}, failed)
    with pytest.raises(inside.LayerError, match="net_namespace: no"):
        inside._refuse_missing({"layers": [b"net_namespace"]}, failed)


def test_proc_is_never_mounted_over_the_machines_own() -> None:
    steps = dict(inside._steps({"layers": [b"proc"]}))
    with pytest.raises(OSError, match="over the machine's /proc"):
        steps["proc"]()


@pytest.mark.parametrize(("path", "expected"), [(b"/usr/bin:/bin", b"/usr/bin/env"), (b"", b"/nonexistent/env")])
def test_a_program_is_looked_up_on_the_sandboxs_path(path: bytes, expected: bytes) -> None:
    assert inside._program(b"env", path) == expected
    assert inside._program(b"/a/b", path) == b"/a/b"


async def test_a_step_that_fails_after_the_probe_stops_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = ProcessSandbox(SandboxSettings(), tmp_path, SystemClock())
    sandbox.layers()
    wrong = limits_of(SandboxSettings()) | {"limit_values": [b"x"] * 7}
    monkeypatch.setattr("akili_cli.core.sandbox.backends.fields.limits_of", lambda _: wrong)
    with pytest.raises(SandboxError, match="limits"):
        await sandbox.run(ExecRequest(("touch", "ran"), 5), permit_for(Effects()))
