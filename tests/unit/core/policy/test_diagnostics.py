from __future__ import annotations

import shlex

import pytest

from akili_cli.core.policy.diagnostics import diagnostic
from akili_cli.domain.effects import Command


def judge(line: str, **more: object) -> str | None:
    argv = tuple(shlex.split(line))
    return diagnostic(Command(argv[0], argv, f"/usr/bin/{argv[0]}", **more))  # type: ignore[arg-type]  # wrappers only


@pytest.mark.parametrize(
    "line",
    """df -P -x tmpfs
free -m
uptime
ps aux --sort=-%cpu
ss -tlnp
netstat -tln
cat /etc/hosts
head -n 5 x
tail -n 5 x
grep -rn 'a$' /etc
sort -k2 -n
uniq -c
cut -d: -f1
ls -laC
du -sh /var
find / -name x -type f -size +10M
uname -a
hostname
hostname -f
date +%s
date -u
nproc
lscpu
lsblk -f
findmnt -t ext4
mount
ip a
ip addr show
ip -br link show dev eth0
ip route
journalctl -u x -n 50 --no-pager --since '1 hour ago'
journalctl -p err -b
dmesg -T --level=err
systemctl status nginx
systemctl --failed --no-pager
systemctl is-active x
systemctl list-units --type=service
top -b -n1
top -b -n 1
vmstat 1 3
iostat -x 1 2
last -n 5
id
getent passwd root
echo hi $X
printf '%s' x
test -f x
openssl x509 -in /c -noout -enddate
sysctl vm.swappiness
dpkg -l
timedatectl status""".splitlines(),
)
def test_a_command_that_only_looks_is_a_diagnostic(line: str) -> None:
    assert judge(line) is None


@pytest.mark.parametrize(
    "line",
    """rm x
awk 1 x
sed -n 1p x
tail -f x
tail -fn5 x
tail --fol x
sort -o x y
sort -uo x y
sort --out=x y
uniq a b
find . -delete
find . -exec rm {} +
find . -fprint x
hostname evil
hostname -F x
date -s now
date --se now
date 010112002030
ip link set eth0 down
ip -b x
ip netns exec x y
ip route add default
ip route r default via 1.1.1.1
ip addr a 1.2.3.4/8 dev eth0
journalctl --vacuum-size=1
journalctl --va=1
journalctl -f
journalctl -xfe
journalctl --rotate
journalctl --flush
dmesg -c
dmesg -C
dmesg -n 1
dmesg -w
systemctl restart x
systemctl -p status restart x
systemctl --property status restart x
systemctl -H h status
systemctl
top
top -b
vmstat 1
iostat 1
openssl s_client -connect h:1
openssl x509 -in a -out b
sysctl -w a=1
sysctl a=1
mount /dev/a /b
mount -a
dpkg -i x
curl x
docker ps
pkill x
watch ls
ss -K
netstat -c
file -C
find $X
journalctl $X
cat `id`
timedatectl set-time 1
hostnamectl set-hostname x
free -s 1""".splitlines(),
)
def test_a_command_that_may_change_something_or_never_end_is_not(line: str) -> None:
    assert judge(line)


@pytest.mark.parametrize("wrapper", ["sudo", "xargs", "find", "watch", "env"])
def test_a_diagnostic_behind_a_wrapper_that_changes_it_is_not(wrapper: str) -> None:
    assert judge("ls", wrappers=(wrapper,))


def test_a_file_outside_the_system_is_not() -> None:
    assert diagnostic(Command("ls", ("/tmp/ls",), "/tmp/ls"))
    assert diagnostic(Command("ls", ("/tmp/ls",), None))
    assert diagnostic(Command("echo", ("echo", "x"), None)) is None
