"""Programs whose arguments are another program: how each is unwrapped."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from akili_cli.core.tools.shell.call import Call
from akili_cli.core.tools.shell.names import names
from akili_cli.core.tools.shell.options import Arguments, OptionSpec, split
from akili_cli.core.tools.shell.syntax import UnreadableError
from akili_cli.core.tools.shell.words import Token, computed, literal

PRIVILEGED = frozenset({"sudo", "doas", "su"})
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL | re.ASCII)


@dataclass(frozen=True, slots=True)
class Wrap:
    """One wrapper: its options, how many operands precede the program, and what its options mean."""

    flags: str = ""
    takes: str = ""
    long_flags: str = ""
    long_takes: str = ""
    skip: int = 0
    assigns: bool = False
    idle: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    unsure: str = ""
    spec: OptionSpec = field(init=False)

    def __post_init__(self) -> None:
        """Build the option table once."""
        spec = OptionSpec(
            self.flags,
            self.takes,
            frozenset([*self.long_flags.split(), "help", "version"]),
            frozenset(self.long_takes.split()),
            strict=True,
            permute=False,
        )
        object.__setattr__(self, "spec", spec)


WRAPS: Mapping[str, Wrap] = {
    "sudo": Wrap(
        "AbBEeHiKklNnPSsVv",
        "CDghpRrtTUu",
        "askpass background bell edit login list shell stdin validate non-interactive preserve-groups "
        "set-home reset-timestamp remove-timestamp no-update preserve-env",
        "user group host prompt chdir chroot role type other-user close-from command-timeout",
        assigns=True,
        idle=("l", "list", "v", "validate", "k", "K", "V"),
        refused=("e", "edit", "R", "chroot", "D", "chdir", "h", "host"),
    ),
    "doas": Wrap("nLs", "uC", refused=("C",)),
    "env": Wrap(
        "i0v",
        "uCS",
        "ignore-environment null debug list-signal-handling block-signal default-signal ignore-signal",
        "unset chdir split-string argv0",
        assigns=True,
        refused=("C", "chdir", "argv0"),
    ),
    "time": Wrap("apvqV", "fo", "append portability verbose quiet", "format output", outputs=("o", "output")),
    "nice": Wrap("0123456789", "n", "", "adjustment"),
    "ionice": Wrap("t", "cnpPu", "ignore", "class classdata pid pgid uid", idle=("p", "P", "u", "pid")),
    "nohup": Wrap(),
    "setsid": Wrap("cfw", "", "ctty fork wait"),
    "stdbuf": Wrap("", "ioe", "", "input output error"),
    "timeout": Wrap("v", "ks", "preserve-status foreground verbose", "kill-after signal", skip=1),
    "chrt": Wrap(
        "abdfiormvR",
        "TPDp",
        "all-tasks batch deadline fifo idle other rr max verbose reset-on-fork",
        "pid sched-runtime sched-period sched-deadline",
        skip=1,
        idle=("p", "pid", "m", "max"),
    ),
    "taskset": Wrap("ac", "p", "all-tasks cpu-list", "pid", skip=1, idle=("p", "pid")),
    "exec": Wrap("cl", "a"),
    "builtin": Wrap(),
    "coproc": Wrap(),
    "flock": Wrap(
        "sxnuoFev",
        "wE",
        "shared exclusive nonblock nonblocking unlock close no-fork verbose",
        "timeout wait conflict-exit-code",
    ),
    "strace": Wrap(
        "cCdDfFhiknqrtTvVwxyYzZ",
        "eopasbEIOPSuUX",
        "follow-forks summary-only",
        "trace output attach env user string-limit",
        idle=("p", "attach"),
        outputs=("o", "output"),
        variables=("E", "env"),
    ),
    "ltrace": Wrap("bcCfhiLrStTV", "aADelFnopsuwxX", outputs=("o",), idle=("p",), refused=("F",)),
    "chroot": Wrap("", "", "skip-chdir", "userspec groups", skip=1, unsure="chroot runs in another file system"),
    "unshare": Wrap(
        "muipnUTCfrc",
        "RwSG",
        "mount uts ipc net pid user cgroup time fork map-root-user map-current-user map-auto mount-proc "
        "kill-child keep-caps",
        "root wd setuid setgid propagation setgroups",
        refused=("R", "root", "w", "wd"),
    ),
    "nsenter": Wrap(
        "amuinpCUTrwFZ",
        "tSG",
        "all mount uts ipc net pid cgroup user time root wd no-fork preserve-credentials",
        "target setuid setgid",
        unsure="nsenter runs in another process's view of the system",
    ),
    "systemd-run": Wrap(
        "GtPqSdr",
        "uHMpE",
        "user system scope wait pty pipe quiet collect remain-after-exit no-block no-ask-password same-dir shell",
        "unit property description slice setenv uid gid nice working-directory on-active host machine",
        unsure="systemd-run starts programs outside the sandbox",
    ),
}


def unwrap_generic(call: Call) -> None:
    """Unwrap by the table; without an inner program the wrapper itself is the command."""
    wrap = WRAPS[call.name]
    args = split(call.tokens, wrap.spec)
    if args.has(*wrap.refused):
        call.ledger.opaque(f"{call.name} with an option that changes where or what it runs")
    if wrap.unsure:
        call.ledger.opaque(wrap.unsure)
    for token in args.of(wrap.outputs):
        if (token.text or "").startswith(("|", "!")):
            raise UnreadableError(f"{call.name} writes into a command")
        call.touch("write", token)
    for token in args.of(wrap.variables):
        _assign(call, token)
    rest = _program(call, wrap, args)
    if args.has(*wrap.idle) or not rest:
        if args.has("s", "i", "shell", "login") and call.name in PRIVILEGED:
            call.ledger.opaque(f"{call.name} starts a shell that reads its commands")
        if call.name not in PRIVILEGED:
            call.record()
        return
    call.reader.run(tuple(rest), call.inside, call.place)


def _program(call: Call, wrap: Wrap, args: Arguments) -> list[Token]:
    rest = list(args.operands)
    if call.name == "env":
        rest = [*_split_string(args.of(("S", "split-string"))), *rest]
        rest = rest[1:] if rest and rest[0].plain == "-" else rest
    while wrap.assigns and rest and _assign(call, rest[0]):
        rest.pop(0)
    if any(token.plain is None for token in rest[: wrap.skip]):
        raise UnreadableError(f"{call.name} with a computed argument before the program")
    return rest[wrap.skip :]


def _assign(call: Call, token: Token) -> bool:
    found = _ASSIGNMENT.match(token.text if token.text is not None else token.raw)
    if found is None:
        return False
    call.reader.variable(found.group(1))
    return True


def _split_string(values: list[Token]) -> list[Token]:
    words: list[Token] = []
    for value in values:
        if value.plain is None or re.search(r"[\\'\"$#]", value.plain):
            raise UnreadableError("env -S with a text that needs unquoting")
        words += [literal(word) for word in value.plain.split()]
    if words and (words[0].plain or "").startswith("-"):
        raise UnreadableError("env -S with options inside")
    return words


def unwrap_command(call: Call) -> None:
    """``command``: -v and -V only ask."""
    args = split(call.tokens, OptionSpec("pvV", strict=True, permute=False))
    if args.has("v", "V") or not args.operands:
        call.record()
        return
    call.reader.run(args.operands, call.inside, call.place)


def unwrap_time(call: Call) -> None:
    """``time`` is a keyword in some shells: ``!`` and assignments may follow."""
    tokens = list(call.tokens)
    while tokens and tokens[0].plain in ("!", "--", "-p"):
        tokens.pop(0)
    while tokens and _assign(call, tokens[0]):
        tokens.pop(0)
    unwrap_generic(Call(call.name, tuple(tokens), call.wrappers, call.place, call.ledger, call.reader))


def unwrap_xargs(call: Call) -> None:
    """``xargs``: what it appends is computed."""
    takes_long = "arg-file delimiter max-args max-procs max-chars process-slot-var"
    spec = OptionSpec(
        "0oprtxeil",
        "adEILnPs",
        names("null interactive no-run-if-empty verbose exit show-limits open-tty eof replace max-lines"),
        frozenset(takes_long.split()),
        strict=True,
        permute=False,
    )
    tokens = [_attached(token) for token in call.tokens]
    args = split(tokens, spec)
    call.touch("read", *args.of(("a", "arg-file")))
    marks = [value.plain or "{}" for value in args.of(("I", "replace"))]
    marks += ["{}"] if args.has("i", "replace") else []
    rest = [computed(token.raw) if any(mark in token.raw for mark in marks) else token for token in args.operands]
    if not rest:
        rest = [literal("echo")]
    if not marks:
        rest.append(computed("what xargs reads"))
    call.reader.run(tuple(rest), call.inside, call.place)


def _attached(token: Token) -> Token:
    """Cut the optional attached value of ``-i``, ``-e`` and ``-l``, which getopt never takes from the next word."""
    if token.plain and re.fullmatch(r"-[el].+", token.plain):
        return literal(token.plain[:2])
    if token.plain and re.fullmatch(r"-i.+", token.plain):
        return literal("-I" + token.plain[2:])
    return token


def unwrap_watch(call: Call) -> None:
    """``watch`` joins its arguments and hands them to a shell, unless -x."""
    spec = OptionSpec(
        "bcCdegptwrx",
        "nqs",
        names("beep color no-color differences errexit chgexit precise no-title no-wrap no-rerun exec"),
        frozenset(("interval", "equexit", "shotsdir")),
        strict=True,
        permute=False,
    )
    args = split(call.tokens, spec)
    if args.has("x", "exec"):
        call.reader.run(args.operands, call.inside, call.place)
        return
    if any(token.plain is None for token in args.operands):
        raise UnreadableError("watch with computed arguments")
    call.reader.text(literal(" ".join(token.plain or "" for token in args.operands)), call.inside, call.place)


def unwrap_su(call: Call) -> None:
    """``su``: only with -c is it known what runs."""
    spec = OptionSpec(
        "lmpPf",
        "cgGswC",
        names("login preserve-environment pty fast"),
        names("command session-command shell group supp-group whitelist-environment"),
        strict=True,
    )
    args = split(call.tokens, spec)
    scripts = args.of(("c", "C", "command", "session-command"))
    if not scripts or len([token for token in args.operands if token.plain != "-"]) > 1 or args.has("s", "shell"):
        call.ledger.opaque("su starts a shell whose commands are not known")
    for script in scripts:
        call.reader.text(script, call.inside, call.place)


def unwrap_flock(call: Call) -> None:
    """``flock FILE program`` or ``flock FILE -c text``."""
    args = split(call.tokens, WRAPS["flock"].spec)
    if not args.operands:
        call.record()
        return
    call.touch("write", args.operands[0])
    rest = args.operands[1:]
    if rest and rest[0].plain in ("-c", "--command"):
        call.reader.text(rest[1] if len(rest) > 1 else computed("nothing"), call.inside, call.place)
    elif rest:
        call.reader.run(rest, call.inside, call.place)
    else:
        call.record()


def unwrap_script(call: Call) -> None:
    """``script -c text file``."""
    spec = OptionSpec(
        "aefq",
        "cBIOTmoEt",
        names("append return flush force quiet"),
        names("command log-in log-out log-io log-timing logging-format output-limit echo timing"),
        strict=True,
    )
    args = split(call.tokens, spec)
    call.touch("write", *(args.operands or (literal("typescript"),)), *args.of(("B", "I", "O", "T")))
    scripts = args.of(("c", "command"))
    if not scripts:
        call.ledger.opaque("script starts a shell that reads its commands")
    for text in scripts:
        call.reader.text(text, call.inside, call.place)


def unwrap_multicall(call: Call) -> None:
    """``busybox APPLET``."""
    first = call.tokens[0] if call.tokens else None
    if first is None or (first.plain or "").startswith("-"):
        call.record()
        if first is not None and first.plain not in ("--list", "--help"):
            call.ledger.opaque(f"{call.name} {first.raw} installs or changes programs")
        return
    call.reader.run(call.tokens, call.inside, call.place)


Unwrap = Callable[[Call], None]
UNWRAP: Mapping[str, Unwrap] = {
    **dict.fromkeys(WRAPS, unwrap_generic),
    "command": unwrap_command,
    "time": unwrap_time,
    "xargs": unwrap_xargs,
    "watch": unwrap_watch,
    "su": unwrap_su,
    "flock": unwrap_flock,
    "script": unwrap_script,
    "busybox": unwrap_multicall,
    "toybox": unwrap_multicall,
}
