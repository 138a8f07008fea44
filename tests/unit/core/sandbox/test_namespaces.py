from __future__ import annotations

from tests.fakes.confined import confined


def test_a_user_namespace_keeps_the_own_uid() -> None:
    code = """
import os
from akili_cli.core.sandbox import namespaces
before = os.getuid()
namespaces.own_user_namespace(os.open("/proc/self", os.O_RDONLY))
print(os.getuid() == before, open("/proc/self/uid_map").read().split()[2])
"""
    assert confined(code).split() == ["True", "1"]


def test_a_network_of_ones_own_has_nothing_but_a_listener_on_loopback() -> None:
    code = """
import os
from akili_cli.core.sandbox import namespaces
namespaces.own_user_namespace()
listener = namespaces.own_network(3128)
print(listener.getsockname(), len(open("/proc/self/net/dev").read().splitlines()) - 2)
"""
    assert confined(code) == "('127.0.0.1', 3128) 1\n"
