"""What a known program reads, writes and deletes, as a table; an unknown one reads its path arguments."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from akili_cli.core.tools.shell.call import Call
from akili_cli.core.tools.shell.ledger import Access
from akili_cli.core.tools.shell.names import names
from akili_cli.core.tools.shell.options import Arguments, OptionSpec, split
from akili_cli.core.tools.shell.words import Token, literal


@dataclass(frozen=True, slots=True)
class Profile:
    """How one program treats its operands and options.

    ``operands``: read, write, delete, none, copy (last is written) or move. ``skip``: leading operands that
    are no paths, unless one of ``instead`` is given. ``here``: without operands it looks at the directory.
    """

    operands: str = "read"
    takes: str = ""
    skip: int = 0
    instead: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    deletes_too: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()
    here: bool = False
    final: bool = False
    long_takes: frozenset[str] = frozenset()


def _many(names: str, profile: Profile) -> dict[str, Profile]:
    return dict.fromkeys(names.split(), profile)


_GREP_LONG = names(
    "regexp file max-count after-context before-context context include exclude exclude-dir "
    "exclude-from color colour label binary-files directories devices"
)
_TARGET = ("t", "target-directory")
_PROC = ("/proc",)
PROFILES: Mapping[str, Profile] = {
    **_many("cat tac nl rev wc md5sum sha1sum sha224sum sha256sum sha384sum sha512sum b2sum cksum sum readlink "
            "realpath file zcat bzcat xzcat zless zmore cmp comm paste join fold expand unexpand fmt pr base32 base64 "
            "hexdump strings lsattr getfacl column tsort cal dircolors namei view zstdcat lz4cat more most pg",
            Profile()),
    **_many("stat", Profile(takes="cf", long_takes=frozenset(("format", "printf")))),
    **_many("od", Profile(takes="AjNtwS")),
    **_many("head tail", Profile(takes="cns", long_takes=names("lines bytes pid sleep-interval"))),
    **_many("grep egrep fgrep zgrep", Profile(takes="efmABCdD", skip=1, instead=("e", "f", "regexp", "file"),
                                              inputs=("f", "file", "exclude-from"), long_takes=_GREP_LONG)),
    **_many("rg ag ack", Profile(takes="efmABCgtTM", skip=1, instead=("e", "f", "regexp", "file"), inputs=("f",),
                                 refused=("pre", "hostname-bin", "pager"), here=True, long_takes=_GREP_LONG)),
    **_many("ls dir vdir", Profile(takes="ITw", here=True)),
    **_many("du", Profile(takes="dtXB", inputs=("X", "files0-from", "exclude-from"), here=True,
                          long_takes=names("max-depth threshold exclude exclude-from block-size"))),
    **_many("tree", Profile(takes="LPIoH", outputs=("o",), here=True)),
    **_many("cut", Profile(takes="bcdf")), **_many("tr", Profile("none")), **_many("seq expr basename dirname "
            "sleep yes factor numfmt printenv id groups whoami logname tty arch nproc clear tput locale getent "
            "uuidgen mcookie cal ncal true false hostid", Profile("none", fixed=("/etc/passwd", "/etc/group"))),
    **_many("sort", Profile(takes="kotSTb".replace("b", ""), outputs=("o", "output", "T", "temporary-directory"),
                            inputs=("files0-from",), refused=("compress-program",))),
    **_many("uniq", Profile("copy", takes="fsw")), **_many("xxd", Profile("copy", takes="closg")),
    **_many("shuf", Profile(takes="ino", outputs=("o", "output"))),
    **_many("diff sdiff diff3", Profile(takes="UCFIxXSLW", outputs=("o", "output"), refused=("diff-program",))),
    **_many("less", Profile(takes="bhjkopPtTxyz", outputs=("o", "O"), refused=("k", "lesskey-file", "P"))),
    **_many("man info apropos whatis", Profile("none", refused=("P", "pager", "C", "H", "html", "config-file"),
                                               fixed=("/usr/share/man", "/usr/share/info", "/var/cache/man"))),
    **_many("jq", Profile(takes="fL", skip=1, instead=("f", "from-file"), inputs=("f", "from-file", "L"))),
    **_many("yq", Profile("write", skip=1)),
    **_many("iconv", Profile(takes="fto", outputs=("o", "output"))),
    **_many("tee", Profile("write")), **_many("mkdir", Profile("write", takes="m")),
    **_many("touch", Profile("write", takes="drt", inputs=("r", "reference"))),
    **_many("mkfifo mknod", Profile("write", takes="m")), **_many("mktemp", Profile("none", takes="p", fixed=())),
    **_many("truncate fallocate", Profile("write", takes="srlo", final=True)),
    **_many("chmod chown chgrp chattr chcon setfattr", Profile("write", skip=1, instead=("reference",))),
    **_many("setfacl", Profile("write", takes="mMxX", instead=())),
    **_many("cp install", Profile("copy", takes="tSmogZ", outputs=_TARGET, refused=("strip-program",))),
    **_many("ln link", Profile("copy", takes="tS", outputs=_TARGET)),
    **_many("mv", Profile("move", takes="tS", outputs=_TARGET)), **_many("rename prename", Profile("move", skip=1)),
    **_many("rm rmdir unlink", Profile("delete", final=True)),
    **_many("shred wipe srm", Profile("delete", takes="ns", final=True)),
    **_many("gzip gunzip bzip2 bunzip2 xz unxz zstd unzstd lz4 compress uncompress lzma unlzma",
            Profile("move", takes="S")),
    **_many("zip", Profile("write", takes="bnitxP", refused=("T", "TT", "unzip-command"))),
    **_many("unzip", Profile(takes="dxP", outputs=("d",))), **_many("patch", Profile("write", takes="dipoBDFgrVYz",
            outputs=("o", "d", "r"), inputs=("i",))),
    **_many("split csplit", Profile("write", takes="abClnt", refused=("filter",))),
    **_many("sqlite3", Profile("write", refused=("cmd", "init"), final=True)),
    **_many("ps pgrep top free vmstat pidof pstree pmap slabtop pwdx tload uptime w htop",
            Profile("none", fixed=("/proc", "/var/run/utmp", "/sys/devices/system", "/etc/passwd"))),
    **_many("who users", Profile(fixed=("/proc", "/var/run/utmp"))),
    **_many("lsof fuser", Profile(takes="pucdgisoT", fixed=("/proc", "/etc/passwd", "/sys/fs"))),
    **_many("ss netstat", Profile("none", takes="fAFN", outputs=("D", "diag"), fixed=("/proc", "/proc/net",
            "/etc/services", "/run/netns"), refused=("K", "kill"))),
    **_many("ip route ifconfig iostat mpstat sar pidstat tc bridge arp ethtool nstat",
            Profile("none", fixed=("/proc", "/sys", "/etc/iproute2"), refused=("b", "batch", "force"))),
    **_many("df", Profile(takes="txB", fixed=("/proc",), long_takes=frozenset(("type", "exclude-type")))),
    **_many("mount findmnt lsblk blkid lscpu lsmem lspci lsusb lsmod", Profile("read", takes="oOtTSMNI", fixed=("/proc",
            "/sys", "/dev", "/run/mount", "/run/udev", "/etc/fstab", "/usr/share/misc", "/usr/share/hwdata"))),
    **_many("journalctl", Profile("none", takes="unpgSUtDonMb", inputs=("D", "directory", "file"), fixed=(
            "/var/log/journal", "/run/log/journal", "/etc/machine-id", "/proc"))),
    **_many("dmesg", Profile("none", fixed=("/dev/kmsg", "/proc"))),
    **_many("last lastb lastlog", Profile("none", takes="nfst", inputs=("f", "file"), fixed=("/var/log/wtmp",
            "/var/log/btmp", "/var/log/lastlog", "/etc/passwd"))),
    **_many("uname hostname dnsdomainname domainname", Profile("none", takes="F", fixed=("/proc", "/etc/hostname",
            "/etc/hosts"))),
    **_many("date", Profile("none", takes="dfrsI".replace("I", ""), inputs=("f", "file", "r", "reference"),
            fixed=("/etc/localtime", "/usr/share/zoneinfo"))),
    **_many("getconf", Profile("none", fixed=("/proc", "/sys"))),
    **_many("sysctl", Profile("none", takes="pr", fixed=("/proc/sys",), inputs=("p", "load"))),
    **_many("dpkg dpkg-query", Profile(takes="", fixed=("/var/lib/dpkg", "/etc/dpkg"))),
    **_many("rpm", Profile(fixed=("/var/lib/rpm", "/usr/lib/sysimage/rpm", "/usr/lib/rpm"),
                          refused=("E", "eval", "pipe"))),
    **_many("apt apt-get apt-cache", Profile("none", takes="oct", refused=("o", "option", "c", "config-file"), fixed=(
            "/var/lib/apt", "/var/cache/apt", "/var/lib/dpkg", "/etc/apt", "/usr/lib/apt"))),
}  # fmt: skip
IRREVERSIBLE = re.compile(
    r"mkfs.*|mke2fs|mkswap|wipefs|s?fdisk|cfdisk|g?parted|sgdisk|dd|kill|pkill|killall\d?|skill|snice|reboot|shutdown|"
    r"poweroff|halt|init|telinit|iptables.*|ip6tables.*|nft|ufw|firewall-cmd|user(?:del|mod|add)|group(?:del|mod|add)|"
    r"passwd|chpasswd|deluser|adduser|swapo(?:n|ff)|u?mount|modprobe|insmod|rmmod|service|dropdb|createdb|lv\w+|vg\w+|"
    r"pv\w+|mdadm|cryptsetup|zpool|zfs|btrfs|hwclock|ntpdate|renice|logrotate|tune2fs|resize2fs|fsck.*|e2fsck|"
    r"chpasswd|visudo|update-\w+|sync|blkdiscard|hdparm|tc|ipvsadm|brctl|ethtool|setenforce|dpkg-reconfigure"
)
_RUNNERS = names(
    "vi vim nvim vimdiff view ex ed red emacs nano pico joe mcedit rvim at batch parallel screen tmux byobu expect gdb "
    "lldb run-parts runuser pkexec setpriv capsh fakeroot proot bwrap firejail unbuffer rlwrap dbus-run-session "
    "xvfb-run entr start-stop-daemon daemonize daemon prlimit numactl cgexec valgrind perf npx pipx uvx uv poetry "
    "pipenv setarch linux32 linux64 i386 x86_64 choom eatmydata torify torsocks proxychains proxychains4 faketime "
    "catchsegv newgrp sg sudoedit visudo vipw dc tclsh wish cpulimit nsjail gosu su-exec tini dumb-init s6-setuidgid "
    "chpst softlimit envdir setlock pip pip3 npm yarn pnpm gem cargo go snap flatpak dnf yum zypper pacman apk "
    "watchexec nodemon supervisorctl supervisord m4 git-shell mosh-server aa-exec runcon setuidgid systemd-nspawn lxc "
    "lxc-attach virsh vagrant bpftrace rpmbuild sshpass autossh hping3 tcpdump tshark pdb trickle dialog whiptail mc "
    "ranger nnn vifm irb pry"
)
_LOADER = re.compile(r"ld(?:-linux.*|-musl.*|-[\d.]+)?\.so(?:\.\d+)?")


def read_program(call: Call) -> None:
    """Note what a program touches by the table, or its path arguments as reads when it is unknown."""
    if IRREVERSIBLE.fullmatch(call.name) and not (call.name in PROFILES and not call.tokens):
        call.ledger.irreversible()
    if call.name in _RUNNERS or _LOADER.fullmatch(call.name):
        call.ledger.opaque(f"{call.name} can run other programs")
    special = _SPECIAL.get(call.name)
    if special is not None:
        special(call)
        return
    profile = PROFILES.get(call.name)
    if profile is None:
        call.touch("read", literal("."))
        call.touch("read", *_paths(call.tokens))
        return
    longs = {name for name in (*profile.outputs, *profile.inputs, *profile.refused) if len(name) > 1}
    spec = OptionSpec(takes=profile.takes, long_takes=profile.long_takes | longs)
    args = split(call.tokens, spec)
    _options(call, profile, args)
    _operands(call, profile, args)


def _paths(tokens: tuple[Token, ...]) -> list[Token]:
    found = []
    for token in tokens:
        text = token.plain if token.parent is None else token.parent
        if text is None or "://" in text:
            continue
        text = re.sub(r"^-[\w-]*=?(?=[/~.])", "", text).rpartition("=")[2] if "/" in text else text
        if "/" in text and not text.startswith("-"):
            found.append(Token(token.raw, text))
    return found


def _options(call: Call, profile: Profile, args: Arguments) -> None:
    if args.has(*profile.refused):
        call.ledger.opaque(f"{call.name} with an option that runs a program or does more than look")
    call.touch("write", *args.of(profile.outputs))
    call.touch("read", *args.of(profile.inputs))
    call.ledger.fixed("read", *profile.fixed)
    recursive = args.has("R", "recursive") and call.name in ("chmod", "chown", "chgrp", "setfacl", "chattr")
    if profile.final or recursive:
        call.ledger.irreversible()


def _operands(call: Call, profile: Profile, args: Arguments) -> None:
    operands = list(args.operands)
    if call.name in ("less", "more", "most", "pg") and any(token.raw.startswith("+") for token in operands):
        call.ledger.opaque(f"{call.name} starts with a command of its own")
    if not args.has(*profile.instead):
        operands = operands[profile.skip :]
    match profile.operands:
        case "read" | "write" | "delete":
            call.touch(profile.operands, *operands)
        case "copy" | "move":
            _transfer(call, operands, args.of(_TARGET), moving=profile.operands == "move")
        case _:
            pass
    if profile.here and not operands:
        call.touch("read", literal("."))


def _transfer(call: Call, operands: list[Token], targets: list[Token], *, moving: bool) -> None:
    if call.name in ("gzip", "gunzip", "bzip2", "bunzip2", "xz", "unxz", "zstd", "unzstd", "lz4"):
        listing = {"-l", "-t", "-c", "--list", "--test", "--stdout", "-dc", "-cd", "-k"} & set(call.texts)
        for access in ("read",) if listing and "-k" not in listing else ("read", "write", "delete"):
            call.touch(access, *operands)
        return
    if call.name == "rename":
        call.touch("write", *operands)
        call.touch("delete", *operands)
        return
    sources = operands if targets or (call.name == "install" and "-d" in call.texts) else operands[:-1]
    if call.name in ("uniq", "xxd"):
        sources = operands[:1]
    written = [token for token in operands if token not in sources]
    call.touch("read", *sources)
    call.touch("write", *(written or (sources if not targets and call.name == "install" else ())))
    if call.name in ("ln", "link") and len(operands) == 1:
        call.touch("write", literal("."))
    if moving:
        call.touch("delete", *sources)
    _into(call, sources, written or targets, ("write",))


def _into(call: Call, sources: list[Token], targets: list[Token], accesses: tuple[Access, ...]) -> None:
    """A directory as destination: name the files that appear in it, too."""
    for target in targets:
        for source in sources:
            name = (source.plain or "").rstrip("/").rpartition("/")[2]
            if target.plain and target.plain.endswith("/") and name:
                for access in accesses:
                    call.touch(access, Token(target.raw, target.plain + name))


def _dd(call: Call) -> None:
    for token in call.tokens:
        name, equals, value = (token.plain if token.plain is not None else token.raw).partition("=")
        if not equals or (token.text is None and name not in ("bs", "count", "skip", "seek")):
            call.ledger.opaque("dd with a computed argument")
        elif name in ("if", "of"):
            call.touch("read" if name == "if" else "write", Token(token.raw, value))


def _tar(call: Call) -> None:
    tokens = list(call.tokens)
    if tokens and tokens[0].plain and not tokens[0].plain.startswith("-"):
        tokens[0] = literal("-" + tokens[0].plain)
    spec = OptionSpec(
        takes="bCfFgHIKLNTVX",
        long_takes=names(
            "file directory exclude exclude-from files-from use-compress-program checkpoint-action to-command "
            "info-script new-volume-script rmt-command rsh-command transform owner group mode"
        ),
        long_flags=frozenset(("list", "extract", "get", "create", "append", "update", "delete", "gzip", "checkpoint")),
    )
    args = split(tokens, spec)
    runs = ("I", "F", "use-compress-program", "checkpoint-action", "to-command", "info-script", "new-volume-script",
            "rmt-command", "rsh-command")  # fmt: skip
    archives = args.of(("f", "file"))
    if args.has(*runs) or any(":" in (archive.text or ":") for archive in archives):
        call.ledger.opaque("tar with an option or archive that runs a program")
    where = args.of(("C", "directory")) or [literal(".")]
    call.touch("read", *args.of(("T", "X", "files-from", "exclude-from")))
    if args.has("t", "list"):
        call.touch("read", *archives)
    elif args.has("x", "extract", "get"):
        call.touch("read", *archives)
        call.touch("write", *where)
        call.ledger.irreversible()
    else:
        call.touch("write", *archives)
        call.touch("read", *args.operands, *where)
    if args.has("remove-files"):
        call.touch("delete", *args.operands)


def _crontab(call: Call) -> None:
    call.ledger.fixed("read", "/var/spool/cron")
    if call.texts != ("-l",):
        call.ledger.fixed("write", "/var/spool/cron")
        call.ledger.irreversible()
    if call.texts not in (("-l",), ("-r",), ("-i", "-r"), ("-r", "-i")):
        call.ledger.opaque("crontab installs commands that run later")


def _packages(call: Call) -> None:
    asking = {"list", "show", "search", "policy", "depends", "rdepends", "madison", "showpkg", "pkgnames", "stats"}
    verb = next((text for text in call.texts if not text.startswith("-")), "")
    if call.name in ("apt", "apt-get", "apt-cache") and verb not in asking:
        call.ledger.opaque(f"{call.name} {verb} installs or removes packages and runs their scripts")
    profile = PROFILES[call.name]
    args = split(call.tokens, OptionSpec(takes=profile.takes))
    _options(call, profile, args)
    query = ("l", "L", "s", "S", "p", "W", "q", "V", "list", "listfiles", "status", "search", "query", "show",
             "verify", "audit", "get-selections", "print-avail", "version")  # fmt: skip
    if call.name in ("dpkg", "rpm") and not args.has(*query):
        call.ledger.opaque(f"{call.name} installs or removes packages and runs their scripts")


def _perl(call: Call) -> None:
    call.touch("read", literal("."))
    in_place = any(re.match(r"-[a-zA-Z0]*i", text) for text in call.texts)
    call.touch("write" if in_place else "read", *(call.tokens[1:] if in_place else _paths(call.tokens)))
    if in_place:
        call.ledger.irreversible()


_SPECIAL = {
    "dd": _dd,
    **dict.fromkeys(("tar", "bsdtar", "gtar"), _tar),
    "crontab": _crontab,
    **dict.fromkeys(("apt", "apt-get", "apt-cache", "dpkg", "rpm"), _packages),
    **dict.fromkeys(("perl", "ruby"), _perl),
}
