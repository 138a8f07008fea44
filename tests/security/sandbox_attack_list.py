"""The attacks of the sandbox matrix, each with the steps that stop it.

Every attack prints REACHED when it got there, or an oracle outside looks. An attack is open exactly where every step
that stops it is missing.
"""

from __future__ import annotations

import os
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass

PYTHON = "/usr/bin/python3"
MARK = "akili-matrix-daemon"
X86_64 = os.uname().machine == "x86_64"


@dataclass(frozen=True)
class Attack:
    """``stopped_by`` empty: no layer that can be missing stops it, the limits and the identity do."""

    name: str
    line: str = ""
    code: str = ""
    stopped_by: frozenset[str] = frozenset()
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    timeout_s: float = 10.0
    slow: bool = False
    oracle: str = "reached"

    def argv(self, names: Mapping[str, str]) -> tuple[str, ...]:
        if self.line:
            return ("sh", "-c", filled(self.line, names))
        return (PYTHON, "-I", "-S", "-c", PRELUDE + filled(textwrap.dedent(self.code), names))


def filled(text: str, names: Mapping[str, str]) -> str:
    for name, value in names.items():
        text = text.replace(f"<{name}>", value)
    return text


PRELUDE = """
import ctypes, fcntl, os, socket, struct, sys, time, mmap
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
def call(*words):
    return libc.syscall(*[ctypes.c_long(w) if isinstance(w, int) else w for w in words])
def reached(ok):
    print("REACHED" if ok else "no")
"""


def by(*steps: str) -> frozenset[str]:
    return frozenset(steps)


WRITE = by("landlock", "mount_namespace")
BLIND = by("mount_namespace")
CALL = by("seccomp")
SOCKET = by("seccomp", "net_namespace")
TCP = by("seccomp", "net_namespace", "landlock")

OTHER = by("seccomp", "pid_namespace", "landlock")
MEMFD = """
reach = call(319, b"x", 0)
os.write(reach, open("/bin/true", "rb").read())
if os.fork() == 0:
    os.execve(reach, ["true"], {})
reached(os.wait()[1] == 0)
"""

ATTACKS = [
    Attack("read a file", line="grep -q canary <o>/secret && echo REACHED", stopped_by=by("landlock")),
    Attack("list a directory", line="ls <o> | grep -q secret && echo REACHED", stopped_by=by("landlock")),
    Attack("read by a symlink", line="ln -s <o>/secret s; grep -q canary s && echo REACHED", stopped_by=by("landlock")),
    Attack(
        "read by /proc/self/root",
        line="grep -q canary /proc/self/root<o>/secret && echo REACHED",
        stopped_by=by("landlock"),
    ),
    Attack("read by dots", line="cd / && grep -q canary ./..<o>/secret && echo REACHED", stopped_by=by("landlock")),
    Attack("execute a program", line="<o>/program && echo REACHED", stopped_by=by("landlock")),
    Attack("overwrite", line="echo x > <o>/w1 && echo REACHED", stopped_by=WRITE),
    Attack("append", line="echo x >> <o>/w2 && echo REACHED", stopped_by=WRITE),
    Attack("truncate", code="reached(not libc.truncate(b'<o>/w3', 0))", stopped_by=WRITE),
    Attack("create", line="touch <o>/new1 && test -e <o>/new1 && echo REACHED", stopped_by=WRITE),
    Attack("make a directory", line="mkdir <o>/new2 && echo REACHED", stopped_by=WRITE),
    Attack("delete", line="rm -f <o>/w4 && test ! -e <o>/w4 && echo REACHED", stopped_by=WRITE),
    Attack("rename", line="mv <o>/w5 <o>/w6 && echo REACHED", stopped_by=WRITE),
    Attack("hard link", code="os.link('<o>/w2', '<o>/new3'); reached(True)", stopped_by=WRITE),
    Attack("read /tmp", line="grep -q canary <shared> && echo REACHED", stopped_by=by("landlock", "mount_namespace")),
    Attack("write /tmp", line="echo changed > <shared>", stopped_by=WRITE, oracle="shared"),
    Attack(
        "write /var/tmp", line="echo x > /var/tmp/akili-$$ && echo REACHED; rm -f /var/tmp/akili-$$", stopped_by=WRITE
    ),
    Attack(
        "write /dev/shm",
        line="echo x > /dev/shm/akili-<port> && echo REACHED; rm -f /dev/shm/akili-<port>",
        stopped_by=WRITE,
    ),
    Attack("change the mode", line="chmod 640 <o>/own && echo REACHED", stopped_by=BLIND),
    Attack("change the time", line="touch -d 2001-01-01 <o>/own && echo REACHED", stopped_by=BLIND),
    Attack("set an attribute", code="os.setxattr('<o>/own', 'user.x', b'y'); reached(True)", stopped_by=BLIND),
    Attack(
        "plant a git hook",
        line="echo x > <o>/repo/.git/hooks/x && echo REACHED",
        writes=("<o>/repo",),
        stopped_by=BLIND,
    ),
    Attack(
        "change git config",
        line="echo x >> <o>/repo/.git/config && echo REACHED",
        writes=("<o>/repo",),
        stopped_by=BLIND,
    ),
    Attack("replace .git", line="mv <o>/repo/.git <o>/repo/o && echo REACHED", writes=("<o>/repo",), stopped_by=BLIND),
    Attack("read /etc/shadow", line="grep -q : /etc/shadow && echo REACHED"),
    Attack("raw disk", line="for d in /dev/[svx]d? /dev/nvme?n?; do head -c1 $d | grep -q . && echo REACHED; done"),
    Attack("core_pattern", line="echo x > /proc/sys/kernel/core_pattern && echo REACHED"),
    Attack(
        "environment of another",
        line="grep -qa canary /proc/<victim>/environ && echo REACHED",
        stopped_by=by("proc", "landlock"),
    ),
    Attack(
        "command line of another", line="grep -qa canary /proc/<victim>/cmdline && echo REACHED", stopped_by=by("proc")
    ),
    Attack(
        "memory of another by /proc",
        code="open('/proc/<victim>/mem', 'rb'); reached(True)",
        stopped_by=by("proc", "landlock"),
    ),
    Attack("signal another", line="kill -CONT <victim> && echo REACHED", stopped_by=by("pid_namespace", "landlock")),
    Attack(
        "ptrace another",
        code="reached(call(101, 16, <victim>, 0, 0) == 0)",
        stopped_by=by("seccomp", "pid_namespace", "landlock"),
    ),
    Attack("connect by TCP", code="socket.create_connection(('127.0.0.1', <port>), 2); reached(True)", stopped_by=TCP),
    Attack(
        "send by UDP",
        code="socket.socket(2, 2).sendto(b'x', ('127.0.0.1', <port>)); reached(True)",
        stopped_by=SOCKET,
    ),
    Attack(
        "connect by MPTCP",
        code="s = socket.socket(2, 1, 262); s.connect(('127.0.0.1', <port>)); reached(True)",
        stopped_by=SOCKET,
    ),
    Attack(
        "listen",
        code="s = socket.socket(); s.bind(('0.0.0.0', 0)); reached(True)",
        stopped_by=by("seccomp", "landlock"),
    ),
    Attack("open IPv6", code="socket.socket(10, 2); reached(True)", stopped_by=CALL),
    Attack("netlink", code="socket.socket(16, 3, 0); reached(True)", stopped_by=CALL),
    Attack("vsock", code="socket.socket(40, 1); reached(True)", stopped_by=CALL),
    Attack("Unix socket by path", code="socket.socket(1).connect('<o>/socket'); reached(True)", stopped_by=CALL),
    Attack("abstract Unix socket", code="socket.socket(1).connect('\\0<abstract>'); reached(True)", stopped_by=TCP),
    Attack("raw socket", code="socket.socket(2, 3, 1); reached(True)"),
    Attack("packet socket", code="socket.socket(17, 3); reached(True)"),
    Attack("io_uring", code="reached(call(425, 8, bytes(120)) >= 0)", stopped_by=CALL),
    Attack("userfaultfd", code="reached(call(323, 1) >= 0)", stopped_by=CALL),
    Attack("kernel keyring", code="reached(call(248, b'user', b'akili', b'x', 1, -3) >= 0)", stopped_by=CALL),
    Attack("bpf", code="reached(call(321, 0, bytes(128), 128) >= 0)"),
    Attack(
        "perf events", code="reached(call(298, bytes([0]*4 + [120] + [0]*115), 0, -1, -1, 0) >= 0)", stopped_by=CALL
    ),
    Attack("user namespace", code="reached(call(272, 0x10000000) == 0)", stopped_by=CALL),
    Attack("clone3", code="reached(call(435, bytes(8), 8) == -1 and ctypes.get_errno() == 22)", stopped_by=CALL),
    Attack("shared memory (SysV)", code="reached(call(29, 0, 4096, 0o1600) >= 0)", stopped_by=CALL),
    Attack("memfd", code="reached(call(319, b'x', 0) >= 0)", stopped_by=CALL),
    Attack("personality", code="reached(call(135, 0x0040000) >= 0)", stopped_by=CALL),
    Attack(
        "32-bit entry",
        code="""
        page = mmap.mmap(-1, 4096, prot=7)
        page.write(bytes([0xB8, 20, 0, 0, 0, 0xCD, 0x80, 0xC3]))
        ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
        reached(True)
        """,
        stopped_by=CALL,
    ),
    Attack("mount", code="reached(libc.mount(b'none', b'/mnt', b'tmpfs', 0, None) == 0)"),
    Attack("chroot", code="os.chroot('/'); reached(True)"),
    Attack("host name", code="reached(libc.sethostname(b'x', 1) == 0)"),
    Attack("become root", code="os.setuid(0); reached(True)"),
    Attack("set-uid program", line='test "$(<o>/suid -u)" = 0 && echo REACHED', reads=("<o>/suid",)),
    Attack(  # reading past modes is kept where a permit names files, and confined to those
        "keep a capability", line="grep CapEff /proc/self/status | grep -qv '000000000000000[04]$' && echo REACHED"
    ),
    Attack("use an inherited descriptor", code="reached(b'canary' in os.pread(<descriptor>, 99, 0))"),
    Attack(
        "hard link to a file, then read",
        code="os.link('<o>/own', 'h'); reached(b'canary' in open('h', 'rb').read())",
        stopped_by=WRITE,
    ),
    Attack("read by /proc/1/root", line="grep -q canary /proc/1/root<o>/secret && echo REACHED"),
    Attack(
        "read by the root of another",
        line="grep -q canary /proc/<victim>/root<o>/secret && echo REACHED",
        stopped_by=by("proc", "landlock"),
    ),
    Attack(
        "read by the directory of another",
        line="grep -q canary /proc/<victim>/cwd/secret && echo REACHED",
        stopped_by=by("proc", "landlock"),
    ),
    Attack(
        "read by a handle",
        code="""
        handle = ctypes.create_string_buffer(struct.pack("Ii", 128, 0), 136)
        mount = ctypes.c_int()
        assert libc.name_to_handle_at(-100, b"<o>/secret", handle, ctypes.byref(mount), 0) == 0
        place = os.open(".", os.O_RDONLY)
        reached(b"canary" in os.read(call(304, place, ctypes.addressof(handle), 0), 99))
        """,
        reads=("<o>/own",),
    ),
    Attack("read in /dev/shm", line="grep -q canary <shm> && echo REACHED", stopped_by=by("landlock")),
    Attack(
        "exchange names",
        code="open('x', 'w'); reached(libc.renameat2(-100, b'x', -100, b'<o>/w1', 2) == 0)",
        stopped_by=WRITE,
    ),
    Attack(
        "write to a FIFO",
        code="reached(os.write(os.open('<o>/fifo', os.O_WRONLY | os.O_NONBLOCK), b'x') == 1)",
        stopped_by=by("landlock"),
    ),
    Attack(
        "watch a directory",
        code="reached(libc.inotify_add_watch(libc.inotify_init(), b'<o>', 0xfff) > 0)",
        stopped_by=CALL,
    ),
    Attack(
        "leave a set-uid program",
        line="cp /usr/bin/id <o>/given/id; chmod 4755 <o>/given/id; test -u <o>/given/id && echo REACHED",
        writes=("<o>/given",),
        stopped_by=CALL,
    ),
    Attack(
        "create a set-gid file",
        code="os.umask(0); os.open('<o>/given/gid', 66, 0o2755); reached(os.stat('<o>/given/gid').st_mode & 0o2000)",
        writes=("<o>/given",),
        stopped_by=CALL,
    ),
    Attack("the environment of akili", line="env | grep -q canary && echo REACHED"),
    Attack("memory that looks like a program", code=MEMFD, stopped_by=CALL),
    Attack(
        "take a descriptor of another",
        code="reached(call(438, call(434, <victim>, 0), 0, 0) >= 0)",
        stopped_by=by("seccomp", "pid_namespace", "landlock"),
    ),
    Attack(
        "write into the memory of another",
        code="""
        own = ctypes.create_string_buffer(8)
        here, there = (struct.pack("QQ", place, 8) for place in (ctypes.addressof(own), 8))
        result = call(311, <victim>, here, 1, there, 1, 0)
        reached(result < 0 and ctypes.get_errno() == 14)  # that address is not there, but nobody forbade it
        """,
        stopped_by=by("seccomp", "pid_namespace", "landlock"),
    ),
    Attack(
        "compare kernel objects of another",
        code="reached(call(312, <victim>, <victim>, 0, 0, 0) >= 0)",
        stopped_by=OTHER,
    ),
    Attack("slow another down", code="reached(libc.setpriority(0, <victim>, 1) == 0)", stopped_by=by("pid_namespace")),
    Attack(
        "limit another",
        code="""
        now = ctypes.create_string_buffer(16)
        assert call(302, <victim>, 4, 0, ctypes.addressof(now)) == 0
        reached(call(302, <victim>, 4, ctypes.addressof(now), 0) == 0)
        """,
        stopped_by=by("pid_namespace"),
    ),
    Attack("trace a child", code="reached(call(101, 0, 0, 0, 0) == 0)", stopped_by=CALL),
    Attack(
        "type into a terminal",
        code="""
        near, far = os.openpty()
        os.setsid()
        fcntl.ioctl(far, 0x540E, 0)
        fcntl.ioctl(far, 0x5412, b"x")
        reached(True)
        """,
        stopped_by=by("seccomp", "landlock"),
    ),
    Attack("open the terminal", line="head -c0 /dev/tty && echo REACHED"),
    Attack(
        "mount in a namespace",
        code="reached(call(272, 0x10020000) == 0 and libc.mount(b'x', b'/mnt', b'tmpfs', 0, None) == 0)",
        stopped_by=by("seccomp", "landlock"),
    ),
    Attack(
        "clone into a namespace",
        code="p = call(56, 0x10000011, 0, 0, 0, 0); p or os._exit(0); reached(p > 0)",
        stopped_by=CALL,
    ),
    Attack("the new mount calls", code="reached(call(430, b'tmpfs', 0) >= 0 or call(428, -100, b'/', 1) >= 0)"),
    Attack("pivot the root", code="reached(call(155, b'.', b'.') == 0)"),
    Attack("join a namespace", code="reached(call(308, os.open('/proc/1/ns/net', 0), 0) == 0)"),
    Attack("crypto sockets", code="socket.socket(38, 5); reached(True)", stopped_by=CALL),
    Attack(
        "any other socket",
        code="""
        def opens(family, kind):
            try:
                socket.socket(family, kind).close()
                return True
            except OSError:
                return False
        reached([f for f in range(46) if f not in (1, 2, 10, 16, 38, 40) for kind in (1, 2, 3, 5) if opens(f, kind)])
        """,
        stopped_by=CALL,
    ),
    Attack(
        "message queue",
        code="reached(libc.mq_open(b'/akili-<port>', 66, 0o600, None) >= 0); libc.mq_unlink(b'/akili-<port>')",
        stopped_by=by("seccomp", "landlock"),
    ),
    Attack("semaphores (SysV)", code="reached(call(64, 0, 1, 0o1600) >= 0)", stopped_by=CALL),
    Attack(
        "local descriptor table",
        code="reached(call(154, 0, ctypes.addressof(ctypes.create_string_buffer(64)), 64) >= 0)",
        stopped_by=CALL,
    ),
    Attack("the kernel's log", code="reached(call(103, 10, 0, 0) >= 0)", stopped_by=CALL),
    Attack("set the clock", code="reached(call(164, ctypes.addressof(ctypes.create_string_buffer(16)), 0) == 0)"),
    Attack("x32 entry", code="reached(call(0x40000000 + 39) > 0)"),
    Attack(
        "leave the head of the OOM queue",
        line="echo 0 > /proc/self/oom_score_adj && echo REACHED",
        stopped_by=by("landlock"),
    ),
    Attack("allow core files", line="ulimit -c unlimited && echo REACHED"),
    Attack("open many files", code="reached(len([os.dup(0) for _ in range(2000)]) == 2000)"),
    Attack("one huge sparse file", line="truncate -s 1G f && echo REACHED"),
    Attack(
        "fill /tmp",
        line="for i in $(seq 12); do head -c 7M /dev/zero > /tmp/akili-$$-$i || exit; done; echo REACHED; "
        "rm /tmp/akili-$$-*",
    ),
    Attack("endless complaints", slow=True, timeout_s=1.0, oracle="flood", line="yes >&2"),
    Attack(
        "daemon outlives the command",
        slow=True,
        oracle="daemon",
        code=f"""
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                time.sleep(15)  # {MARK}
            os._exit(0)
        os.wait()
        """,
    ),
    Attack(
        "daemon outlives the timeout",
        slow=True,
        oracle="daemon",
        timeout_s=0.5,
        code=f"""
        if os.fork() == 0:
            os.setsid()
            os.fork()
            time.sleep(15)  # {MARK}
        time.sleep(15)
        """,
    ),
    Attack(
        "fork bomb",
        slow=True,
        code="""
        count = 0
        try:
            while count < 100:
                if os.fork() == 0:
                    time.sleep(5)
                    os._exit(0)
                count += 1
        except OSError:
            pass
        reached(count > 40)
        """,
    ),
    Attack("memory of one", slow=True, code="x = bytearray(300 << 20); reached(True)"),
    Attack(
        "memory of many",
        slow=True,
        code="""
        for _ in range(4):
            if os.fork() == 0:
                x = bytearray(120 << 20)
                for at in range(0, len(x), 4096):
                    x[at] = 1
                time.sleep(3)
                os._exit(0)
        time.sleep(2)
        reached(True)
        """,
    ),
    Attack("one huge file", slow=True, line="head -c 9M /dev/zero > f; test $(wc -c < f) -gt 8388608 && echo REACHED"),
    Attack(
        "many files",
        slow=True,
        line="for i in $(seq 25); do head -c 4M /dev/zero > f$i; done; sleep 1; echo REACHED",
    ),
    Attack("endless output", slow=True, timeout_s=1.0, oracle="flood", line="yes"),
]
