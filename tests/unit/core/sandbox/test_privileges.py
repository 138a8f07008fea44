from __future__ import annotations

import os

import pytest

from tests.fakes.confined import confined

STATUS = "print(*[line.split()[1] for line in open('/proc/self/status') if line.startswith('Cap')], os.getresuid())"
ENTER = "import os\nfrom akili_cli.core.sandbox import privileges\n"
NONE = "0" * 16


def test_every_capability_can_be_dropped() -> None:
    out = confined(
        f"{ENTER}privileges.no_new_privileges()\nprivileges.set_capabilities((), inheritable=True)\n{STATUS}"
    )
    inherited, permitted, effective, bounding, ambient = out.split()[:5]
    assert (inherited, permitted, effective, ambient) == (NONE,) * 4
    assert os.geteuid() != 0 or bounding == NONE


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_root_becomes_nobody_and_keeps_only_what_is_named() -> None:
    code = f"""
{ENTER}
status = open("/proc/self/status").read
privileges.become_nobody()
privileges.set_capabilities((privileges.CAP_DAC_READ_SEARCH,), inheritable=True)
print(privileges.holds(privileges.CAP_DAC_READ_SEARCH), privileges.holds(privileges.CAP_KILL), os.getgroups())
os.execvp("sh", ["sh", "-c", "id -u; grep Cap /proc/self/status"])
"""
    lines = confined(
        "import sys, os\n" + code.replace("print(", "print(", 1).replace("os.execvp", "sys.stdout.flush()\nos.execvp")
    )
    assert lines.splitlines()[:2] == ["True False []", "65534"]
    assert [line.split()[1] for line in lines.splitlines()[2:]] == ["0000000000000004"] * 5
