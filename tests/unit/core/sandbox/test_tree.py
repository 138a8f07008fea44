from __future__ import annotations

import os
import subprocess
import sys

from akili_cli.core.sandbox import tree
from tests.fakes.confined import confined


def test_descendants_and_their_memory_are_seen() -> None:
    process = subprocess.Popen(["sh", "-c", "sleep 30 & sleep 30 & echo up; wait"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    members = tree.descendants(process.pid)
    try:
        assert len(members) == 2
        assert process.pid in tree.descendants(os.getpid())
        assert process.pid not in members
        assert 0 < tree.memory_bytes(process.pid, 1 << 40) < 1 << 30
        assert 0 < tree.memory_bytes(process.pid, 0) <= tree.memory_bytes(process.pid, 1 << 40)
    finally:
        for member in (*members, process.pid):
            os.kill(member, 9)
        process.wait()
        process.stdout.close()


def test_a_process_that_is_gone_has_nothing() -> None:
    assert tree.descendants(2**22 + 1) == []
    assert tree.memory_bytes(2**22 + 1, 0) == 0


def test_sweeping_ends_every_descendant_and_nobody_else() -> None:
    bystander = subprocess.Popen(["sleep", "30"])
    code = """
        import os, time
        from akili_cli.core.sandbox import kernel, tree
        kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
        for _ in range(5):
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    time.sleep(30)
                os._exit(0)
        print(tree.sweep(), tree.descendants(os.getpid()))
        """
    try:
        assert confined(code).split() == ["0", "[]"]
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_cpu_of_a_tree_counts_children_that_ended() -> None:
    code = """
import os, time
if os.fork():
    os.wait()
    print(flush=True)
    time.sleep(20)
while time.process_time() < 0.3:
    pass
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        assert tree.cpu_s(process.pid) >= 0.25
    finally:
        process.kill()
        process.communicate()
