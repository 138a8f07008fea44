"""Which commands only look: the knowledge behind the allow rule ``diagnostics``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePosixPath

from akili_cli.domain.effects import Command

_TRUSTED = ("/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/usr/lib/systemd")
_WRAPPERS = frozenset({"timeout", "nice", "ionice", "time", "command", "stdbuf", "sh", "bash", "dash"})
_COMPUTED = re.compile(r"\$[\w({@*#?!$'\"-]|`|<\(|>\(")
_ANY = r"[\s\S]*"


@dataclass(frozen=True, slots=True)
class Form:
    """The forms of a program that stay read-only.

    Every argument must match ``only``; none may match ``never``; ``needs`` must be matched by one of them;
    at most ``operands`` may be given that are no options.
    """

    only: str = _ANY
    never: str = r"(?!)"
    needs: str = ""
    operands: int | None = None
    computed: bool = False


def _all(names: str, form: Form) -> dict[str, Form]:
    return dict.fromkeys(names.split(), form)


_COUNT = r"\d{1,4}"
_PLAIN = r"[^-][\s\S]*|-"
_QUERY = (
    r"--(?:no-pager|no-legend|all|full|plain|quiet|value|no-ask-password|user|system|failed)|-[alq]|"
    r"--(?:property|type|state|lines|output)=.*|-[npto].+"
)
_SERVICE = (
    r"status|list-units|list-timers|list-sockets|list-unit-files|list-jobs|list-dependencies|is-active|"
    r"is-failed|is-enabled|is-system-running|show|cat|get-default"
)
_JOURNAL = (
    r"--(?:no-pager|list-boots|reverse|no-hostname|utc|all|full|no-full|dmesg|disk-usage|header|system|user|quiet|"
    r"catalog|show-cursor|merge)|--(?:since|until|unit|user-unit|lines|output|boot|priority|grep|identifier|"
    r"output-fields|facility|case-sensitive)(?:=.*)?|-[abcegiklmnopqrtuxNSUT][^f]*|[^-][\s\S]*"
)
DIAGNOSTICS: Mapping[str, Form] = {
    **_all("df free uptime lscpu lsmem w id groups whoami logname arch nproc pwd true false : getconf "
           "realpath readlink basename dirname md5sum sha1sum sha256sum sha512sum cksum cat tac nl head wc cut tr "
           "rev fold column stat seq cmp comm paste zcat ls getfacl lsattr lspci lsusb lsmod "
           "lastlog users tty locale", Form()),
    **_all("echo printf test [", Form(never=r"-v.*", computed=True)),
    "free": Form(never=r"-\w*[sc].*|--[sc].*"),
    "file": Form(never=r"-\w*[Cm].*|--[cm].*"),
    "grep": Form(), "egrep": Form(), "fgrep": Form(), "zgrep": Form(),
    "tail": Form(never=r"-[^cn-]*[fF].*|--f.*|--r.*|--p.*|\+\d*[lcb]?f"),
    "sort": Form(never=r"-[a-zA-Z]*[oT].*|--o.*|--c(?!h).*|--t.*|--fi.*"),
    "uniq": Form(operands=1),
    "du": Form(never=r"--fi.*"),
    "find": Form(never=r"-(?:exec|execdir|ok|okdir|delete|fprint.*|fls|files0-from)|--.*"),
    "diff": Form(),
    "uname": Form(only=r"-[asnrvmpio]+|--\w[\w-]*"),
    "hostname": Form(only=r"-[AadfIisy]+|--(?:fqdn|ip-address|all-ip-addresses|all-fqdns|short|long|domain|alias)"),
    "date": Form(only=r"-[uR]+|-I\w*|--(?:utc|universal|iso-8601(?:=\w+)?|rfc-email|rfc-3339=\w+)|-d|--date=.*|"
                      r"\+[\s\S]*|(?![0-9]{8})[^-+][\s\S]*"),
    "ps": Form(), "pgrep": Form(), "pstree": Form(), "pidof": Form(), "lsof": Form(never=r"-\w*[rD].*|\+[rD].*"),
    "ss": Form(never=r"-\w*[KEDF].*|--[kedf].*"),
    "netstat": Form(never=r"-\w*c\w*|--c.*"),
    "lsblk": Form(), "findmnt": Form(never=r"-\w*p.*|--po.*"), "mount": Form(only=r"-l", operands=0),
    "ip": Form(only=r"-[46dsohcjprN]|-(?:br|brief|json|j|details|stats|color|oneline|family|4|6)(?:=\w+)?|addr\w*|a|"
                    r"address|link|l|route|r|ro|neigh\w*|n|rule\w*|show|list|ls|get|dev|up|table|main|all|default|"
                    r"[a-z]{2,8}[0-9][\w.@-]*|lo|docker0|[0-9a-fA-F]*[.:][0-9a-fA-F.:/]*|maddr|tunnel|-(?:s|d)", ),
    "journalctl": Form(only=_JOURNAL),
    "dmesg": Form(only=r"-[THxkuPLltd]+|-[lf]|--(?:ctime|human|decode|level(?:=\S+)?|facility(?:=\S+)?|nopager|kernel|"
                       r"color(?:=\S+)?|reltime|time-format(?:=\S+)?|notime)|[a-z,]+|--since(?:=.*)?|--until(?:=.*)?"),
    "systemctl": Form(only=rf"{_QUERY}|{_PLAIN}", never=r"-[HM].*|--(?:host|machine|root|image)\S*",
                      needs=rf"{_SERVICE}|--failed"),
    "loginctl": Form(only=rf"{_QUERY}|{_PLAIN}", needs=r"list-sessions|list-users|session-status|user-status|show-\w+"),
    "timedatectl": Form(only=r"status|show|--no-pager|--value|-p\w*|--property=\w+"),
    "hostnamectl": Form(only=r"status|--no-pager|--json=\w+"),
    "top": Form(only=r"-[bcHiSE1w]+n?1?|-n1?|-o|-p|-u|-w|[A-Za-z%+][\w%]*|\d{1,7}(?:,\d{1,7})*", needs=r"-\w*b\w*"),
    "vmstat": Form(only=rf"-[aDdfmnstwy]+|-S|[kKmM]|{_COUNT}"),
    "iostat": Form(only=rf"-[cdhkmNptxyz]+|[a-z]\w*|{_COUNT}"), "mpstat": Form(only=rf"-[AuPV]|ALL|{_COUNT}"),
    "last": Form(), "lastb": Form(), "who": Form(), "getent": Form(only=r"[\w.:@-]+"),
    "openssl": Form(only=r"x509|version|-(?:in|noout|text|dates|enddate|startdate|subject|issuer|fingerprint|serial|"
                         r"checkend|ext|inform|sha256|sha1|a|ocsp_uri|email|purpose|pubkey)|[^-][\s\S]*"),
    "sysctl": Form(only=r"-[aneNqbAX]+|--(?:all|names|values|ignore|pattern(?:=\S+)?)|[A-Za-z][\w./*-]*"),
    "dpkg": Form(only=r"-[lLsS]|--(?:list|listfiles|status|search)|[^-][\s\S]*", needs=r"-[lLsS]|--\w+"),
    "dpkg-query": Form(only=r"-[lLsSW]|-f.*|--(?:list|show|status|showformat=.*)|[^-][\s\S]*"),
    "which": Form(only=r"-a|[\w.+-]+"), "type": Form(only=r"[\w.+-]+"),
    "cd": Form(), "exit": Form(), "set": Form(only=r"-[eux]+|-o|pipefail|-euo"),
}  # fmt: skip
_OPENSSL_VERBS = ("x509", "version")


def diagnostic(command: Command) -> str | None:
    """Give None when a command is a harmless read-only diagnostic, else the reason it is not.

    Redirects, hosts and computed names are effects of the call and judged elsewhere.
    """
    program = command.program
    form = DIAGNOSTICS.get(program)
    if form is None:
        return f"{program} is not on the list of diagnostics"
    if unknown := [wrapper for wrapper in command.wrappers if wrapper not in _WRAPPERS]:
        return f"{program} is run through {unknown[0]}"
    if (place := _place(command)) is not None:
        return place
    return _arguments(program, command.argv[1:], form)


def is_system_program(command: Command) -> bool:
    """Tell whether a command is a program of the system or a built-in of the shell, and not a file of that name."""
    return _place(command) is None


def _place(command: Command) -> str | None:
    """The file must be a system program, or a built-in of the shell under its plain name."""
    if command.path is not None:
        directory = str(PurePosixPath(command.path).parent)
        return None if directory in _TRUSTED else f"{command.path} is not a system program"
    if "/" in command.argv[0]:
        return f"{command.argv[0]} is not a system program"
    return None


def _arguments(program: str, arguments: tuple[str, ...], form: Form) -> str | None:
    operands = [text for text in arguments if not text.startswith("-") or text == "-"]
    for text in arguments:
        if not form.computed and _COMPUTED.search(text):
            return f"{program} with the computed argument {text!r}"
        if re.fullmatch(form.never, text, re.DOTALL) or not re.fullmatch(form.only, text, re.DOTALL):
            return f"{program} with {text!r} may change something or never end"
    if form.needs and not any(re.fullmatch(form.needs, text) for text in arguments):
        return f"{program} in this form may change something or never end"
    if form.operands is not None and len(operands) > form.operands:
        return f"{program} with {len(operands)} operands may change something"
    return _special(program, arguments, operands)


def _special(program: str, arguments: tuple[str, ...], operands: list[str]) -> str | None:
    counts = [text for text in operands if text.isdigit()]
    match program:
        case "systemctl" | "loginctl" if operands and not re.fullmatch(
            rf"{_SERVICE}|list-sessions|list-users|session-status|user-status|show-\w+", operands[0]
        ):
            return f"{program} {operands[0]} changes something"
        case "ip" if len(operands) > 1 and operands[1] not in ("show", "list", "ls", "get"):
            return f"ip {operands[1]} may change something"
        case "openssl" if not operands or arguments[0] not in _OPENSSL_VERBS:
            return "openssl only with x509"
        case "vmstat" | "iostat" | "mpstat" if len(counts) == 1:
            return f"{program} without a count never ends"
        case "top" if not any(re.fullmatch(r"-\w*n1", text) for text in arguments) and not _pair(arguments):
            return "top without -n 1 never ends"
        case "date" if any(re.fullmatch(r"\d+(?:\.\d+)?", text) for text in operands):
            return "date with a bare number sets the clock"
    return None


def _pair(arguments: tuple[str, ...]) -> bool:
    return any(re.fullmatch(r"-\w*n", a) and b == "1" for a, b in pairwise(arguments))
