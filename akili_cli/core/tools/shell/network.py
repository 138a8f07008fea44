"""Programs that talk to other machines or to local services: whom they reach."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import urlsplit

from akili_cli.core.tools.shell.call import Call
from akili_cli.core.tools.shell.names import names
from akili_cli.core.tools.shell.options import Arguments, OptionSpec, split
from akili_cli.core.tools.shell.words import Token

_PORTS = {
    "http": 80,
    "https": 443,
    "ftp": 21,
    "ftps": 990,
    "ssh": 22,
    "git": 9418,
    "sftp": 22,
    "scp": 22,
    "rsync": 873,
    "ws": 80,
    "wss": 443,
    "telnet": 23,
    "tftp": 69,
    "ldap": 389,
    "ldaps": 636,
    "gopher": 70,
    "dict": 2628,
    "smtp": 25,
    "smtps": 465,
    "imap": 143,
    "imaps": 993,
    "pop3": 110,
    "pop3s": 995,
}
_SAFE_SSH = re.compile(
    r"(?i)(?:BatchMode|ConnectTimeout|StrictHostKeyChecking|ServerAlive\w+|LogLevel|User|ConnectionAttempts|"
    r"PasswordAuthentication|PubkeyAuthentication|IdentitiesOnly|AddressFamily|NumberOfPasswordPrompts)[= ].*"
)
_REMOTE = re.compile(r"(?:[\w.+-]+@)?(\[[0-9A-Fa-f:.%]+\]|[\w.-]+):(?!//).*", re.DOTALL)
DBUS = "/run/dbus/system_bus_socket"


def _spec(takes: str, long_takes: str = "") -> OptionSpec:
    return OptionSpec(takes=takes, long_takes=frozenset(long_takes.split()))


_CURL = _spec(
    "AbcCdDeEFhHKmoPQrtTuUwxXyYz",
    "output request header data data-raw data-binary data-urlencode data-ascii json form form-string user user-agent "
    "referer cookie cookie-jar proxy max-time connect-timeout retry retry-delay retry-max-time write-out config "
    "upload-file cacert cert key capath resolve connect-to interface dump-header url output-dir limit-rate range "
    "unix-socket abstract-unix-socket netrc-file trace trace-ascii stderr preproxy socks4 socks4a socks5 "
    "socks5-hostname doh-url max-redirs ciphers tls-max speed-limit speed-time local-port etag-save etag-compare "
    "hsts alt-svc libcurl engine pinnedpubkey proto proto-default proto-redir variable mail-from mail-rcpt "
    "dns-servers quote oauth2-bearer aws-sigv4 time-cond crlfile proxy-user proxy-header max-filesize",
)
_WGET = _spec(
    "oaeiOPtTwQUlABDIRX",
    "output-file append-output execute input-file output-document directory-prefix tries timeout wait quota user-agent "
    "level accept reject domains exclude-domains include-directories header post-data post-file body-data body-file "
    "method user password load-cookies save-cookies ca-certificate certificate private-key base config use-askpass "
    "limit-rate bind-address referer dns-timeout connect-timeout read-timeout max-redirect warc-file hsts-file "
    "rejected-log",
)


def url(call: Call, token: Token, default: str = "http") -> None:
    """Note the host of a URL; one that cannot be read for certain is opaque."""
    text = token.text
    if text is None or re.search(r"[\s\\{}\[\]]", re.sub(r"//(?:[^/@]*@)?\[[0-9A-Fa-f:.]+\]", "//", text)):
        call.ledger.opaque(f"{call.name} contacts a host that is computed: {token.raw!r}")
        return
    full = text if "://" in text else f"{default}://{text}"
    try:
        parts = urlsplit(full)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if parts_are_file(full):
        call.ledger.fixed("read", "/" + full.split("://", 1)[1].partition("/")[2])
    elif host is None or full.count("@") > 1 or not re.fullmatch(r"[\w.:%-]+", host):
        call.ledger.opaque(f"{call.name} contacts {token.raw!r}, which is not a plain URL")
    else:
        call.ledger.host(host, port or _PORTS.get(parts.scheme, 0))


def parts_are_file(full: str) -> bool:
    """Tell whether a URL names a local file."""
    return full.lower().startswith("file:")


def _targets(call: Call, tokens: Iterable[Token], read: Callable[[Call, Token], None]) -> None:
    listed = list(tokens)
    if not listed:
        call.ledger.opaque(f"{call.name} contacts a host that is not in the command")
    for token in listed:
        read(call, token)


def _curl(call: Call) -> None:
    args = split(call.tokens, _CURL)
    if [token.plain for token in call.tokens] in (["--version"], ["-V"], ["--help"]):
        return
    if args.has("K", "config", "x", "proxy", "preproxy", "socks4", "socks4a", "socks5", "socks5-hostname",
                "connect-to", "resolve", "doh-url", "engine", "dns-servers", "abstract-unix-socket"):  # fmt: skip
        call.ledger.opaque("curl with an option that changes whom it contacts")
    if args.has("L", "location", "location-trusted"):
        call.ledger.irreversible()
    for sockets in args.of(("unix-socket",)):
        call.ledger.socket(sockets.text or sockets.raw)
    _targets(call, [*args.operands, *args.of(("url",))], url)
    call.touch("write", *args.of(("o", "output", "output-dir", "D", "dump-header", "c", "cookie-jar", "trace",
                                  "trace-ascii", "stderr", "etag-save", "hsts", "alt-svc", "libcurl")))  # fmt: skip
    call.touch("read", *args.of(("T", "upload-file", "E", "cert", "cacert", "key", "netrc-file")))
    for body in args.of(("d", "data", "data-binary", "data-urlencode", "F", "form", "H", "header", "json")):
        if body.text and (found := re.search(r"(?:^|=)[@<]([^;]+)", body.text)):
            call.touch("read", Token(body.raw, found.group(1)))
    if args.has("O", "remote-name", "remote-name-all", "J"):
        call.touch("write", Token(".", "."))
    method = {value.text for value in args.of(("X", "request"))} - {"GET", "HEAD"}
    if method or args.has("d", "data", "data-raw", "data-binary", "data-urlencode", "json", "F", "form", "T", "Q"):
        call.ledger.irreversible()


def _wget(call: Call) -> None:
    args = split(call.tokens, _WGET)
    if args.has("e", "execute", "i", "input-file", "config", "use-askpass", "base"):
        call.ledger.opaque("wget with an option that changes whom it contacts")
    _targets(call, args.operands, url)
    documents = args.of(("O", "output-document"))
    call.touch("write", *documents, *args.of(("o", "output-file", "a", "append-output", "P", "directory-prefix",
                                              "save-cookies", "warc-file", "rejected-log")))  # fmt: skip
    call.touch("read", *args.of(("post-file", "body-file", "load-cookies", "certificate", "private-key")))
    if not documents and not args.has("spider"):
        call.touch("write", Token(".", "."))
    if args.has("post-data", "post-file", "method", "body-data", "body-file"):
        call.ledger.irreversible()


def _host(call: Call, token: Token, port: int | str) -> None:
    if token.plain is None or not re.fullmatch(r"[\w.:%\[\]-]+", token.plain):
        call.ledger.opaque(f"{call.name} contacts a host that is computed: {token.raw!r}")
    else:
        call.ledger.host(token.plain, port)


def _port(args: Arguments, name: str, default: int) -> int | str:
    values = args.of((name,))
    return values[-1].plain or "?" if values else default


def _ssh(call: Call) -> None:
    spec = OptionSpec(takes="BbcDEeFIiJLlmOopQRSWw", permute=False)
    args = split(call.tokens, spec)
    options = args.of(("o",))
    if args.has("F", "D", "L", "R", "w", "W", "S", "J", "I") or not all(
        _SAFE_SSH.fullmatch(option.plain or "") for option in options
    ):
        call.ledger.opaque("ssh with an option that changes what runs or whom it contacts")
    call.touch("read", *args.of(("i",)))
    call.touch("write", *args.of(("E",)))
    call.ledger.irreversible()
    _targets(call, args.operands[:1], lambda c, token: _login(c, token, _port(args, "p", 22)))


def _login(call: Call, token: Token, port: int | str) -> None:
    text = token.plain
    if text is not None and text.startswith("ssh://"):
        url(call, token)
        return
    _host(call, Token(token.raw, None if text is None else text.rpartition("@")[2]), port)


def _copy(call: Call) -> None:
    """scp, sftp and rsync: remote sides are hosts, local sides are paths."""
    takes = "cDFiJloPSX" if call.name in ("scp", "sftp") else "eBfMTa"
    spec = _spec(
        takes.replace("a", ""),
        "rsh rsync-path exclude include exclude-from include-from files-from port "
        "bwlimit log-file temp-dir password-file partial-dir backup-dir compare-dest copy-dest link-dest",
    )
    args = split(call.tokens, spec)
    if args.has("F", "J", "S", "D", "e", "rsh", "rsync-path", "config", "M", "remote-option") or not all(
        _SAFE_SSH.fullmatch(option.plain or "") for option in args.of(("o",))
    ):
        call.ledger.opaque(f"{call.name} with an option that changes what runs or whom it contacts")
    default = 22
    port = _port(args, "P", default) if call.name in ("scp", "sftp") else _port(args, "port", default)
    for index, token in enumerate(args.operands):
        _side(call, token, port, last=index == len(args.operands) - 1)
    call.touch("read", *args.of(("i", "files-from", "exclude-from", "include-from", "password-file")))
    call.touch("write", *args.of(("log-file", "temp-dir", "partial-dir", "backup-dir")))
    if args.has("delete", "delete-after", "remove-source-files"):
        call.touch("delete", *args.operands)
    call.ledger.irreversible()


def _side(call: Call, token: Token, port: int | str, *, last: bool) -> None:
    text = token.text
    if text is None:
        call.ledger.opaque(f"{call.name} copies from or to {token.raw!r}, which is computed")
    elif "://" in text:
        url(call, token)
    elif call.name == "sftp" and not last:
        call.touch("write", token)
    elif found := _REMOTE.fullmatch(text):
        call.ledger.host(found.group(1), 873 if "::" in text and call.name == "rsync" else port)
    elif call.name == "sftp":
        _login(call, token, port)
    else:
        call.touch("write" if last else "read", token)


def _netcat(call: Call) -> None:
    args = split(call.tokens, _spec("CceGgIiMmOopPqSsTVwWXxg"))
    if args.has("e", "c", "exec", "sh-exec", "lua-exec", "x", "X", "U", "proxy"):
        call.ledger.opaque(f"{call.name} with an option that runs a program or changes whom it contacts")
    call.ledger.irreversible()
    if args.has("l", "listen"):
        call.ledger.opaque(f"{call.name} waits for anybody to connect")
    elif len(args.operands) < 2:  # noqa: PLR2004 - a host and a port
        call.ledger.opaque(f"{call.name} contacts a host that is not in the command")
    else:
        for port in args.operands[1:]:
            _host(call, args.operands[0], port.plain or "?")


def _probe(call: Call) -> None:
    """ping and traceroute: no port."""
    args = split(call.tokens, _spec("cDFgIiLlMmnpQSsTtWwqfzNOP".replace("n", "").replace("D", "")))
    _targets(call, args.operands[:1], lambda c, token: _host(c, token, 0))


def _telnet(call: Call) -> None:
    args = split(call.tokens, _spec("SXbeln"))
    port = args.operands[1].plain or "?" if len(args.operands) > 1 else 23
    _targets(call, args.operands[:1], lambda c, token: _host(c, token, port))
    call.ledger.irreversible()


def _dns(call: Call) -> None:
    """dig, nslookup, host: an @server or the resolver; the name asked for is what is told to the world."""
    args = split(call.tokens, _spec("bcfkpqtxymTWRNCD"))
    if args.has("f"):
        call.ledger.opaque(f"{call.name} takes its questions from a file")
    port = _port(args, "p", 53)
    servers = [token for token in args.operands if token.raw.startswith("@")]
    for server in servers:
        _host(call, Token(server.raw, None if server.plain is None else server.plain[1:]), port)
    names = [token for token in args.operands if not token.raw.startswith(("@", "+"))]
    call.ledger.fixed("read", "/etc/resolv.conf")
    if call.name != "dig" and len(names) > 1:
        _host(call, names[1], port)
        names = names[:1]
    values = args.of(("q", "x"))
    _targets(call, [*names[:1], *values], lambda c, token: _host(c, token, 53))


_OPENSSL_TAKES = names(
    "in out connect key cert CA CAfile CApath days keyout config passin passout servername port accept inkey pass subj "
    "newkey engine provider proxy host extfile inform outform checkend sign verify signature rand writerand keyform "
    "certform K iv purpose starttls dkey dcert chainCAfile"
)


def _openssl(call: Call) -> None:
    values: dict[str, Token] = {}
    tokens = list(call.tokens)
    operands: list[Token] = []
    while tokens:
        token = tokens.pop(0)
        name = (token.plain or "").lstrip("-")
        if (token.plain or "").startswith("-"):
            if name in _OPENSSL_TAKES and tokens:
                values[name] = tokens.pop(0)
        else:
            operands.append(token)
    _openssl_files(call, values)
    verb = operands[0].plain if operands else None
    if verb in ("s_client", "s_time"):
        target = values.get("connect", operands[1] if len(operands) > 1 else Token("", None))
        host, colon, port = (target.plain or "").rpartition(":")
        name = host if colon else port
        _host(call, Token(target.raw, name or None), port if colon else 443)
    elif verb in ("s_server", "ocsp") or verb is None:
        call.ledger.opaque("openssl in a mode that is not followed")
    else:
        call.touch("read", *operands[1:])


def _openssl_files(call: Call, values: Mapping[str, Token]) -> None:
    if {"engine", "provider", "config", "proxy"} & values.keys():
        call.ledger.opaque("openssl with an option that loads code or changes whom it contacts")
    for name in ("in", "key", "cert", "CA", "CAfile", "CApath", "inkey", "extfile", "verify", "signature"):
        if name in values:
            call.touch("read", values[name])
    for name in ("out", "keyout", "writerand"):
        if name in values:
            call.touch("write", values[name])


def _systemd(call: Call) -> None:
    """systemctl and its relatives speak to the service manager."""
    args = split(call.tokens, _spec("tpHMno", "type property host machine state lines output root image job-mode"))
    if args.has("H", "host", "M", "machine", "root", "image"):
        call.ledger.opaque(f"{call.name} with another machine or root")
    call.ledger.socket(DBUS)
    call.ledger.socket("/run/systemd/private")
    call.ledger.fixed("read", "/proc", "/run/systemd", "/sys/fs/cgroup", "/etc/systemd", "/usr/lib/systemd")
    reading = {"status", "list-units", "is-active", "is-failed", "is-enabled", "show", "cat", "list-timers",
               "list-sockets", "list-unit-files", "list-jobs", "list-dependencies", "is-system-running",
               "list-sessions", "list-users", "show-session", "show-user", "get-default", "help", "statistics",
               "session-status", "user-status", "seat-status", "list-seats", "list", "tree"}  # fmt: skip
    if args.operands and args.operands[0].plain not in reading:
        call.ledger.irreversible()
        call.ledger.fixed("write", "/run/systemd", "/etc/systemd")


def _containers(call: Call) -> None:
    spec = OptionSpec(takes="Hlc", long_takes=frozenset(("host", "log-level", "config", "context")), permute=False)
    args = split(call.tokens, spec)
    if args.has("H", "host", "c", "context", "config", "url", "connection", "remote"):
        call.ledger.opaque(f"{call.name} with another engine")
    name = "/var/run/docker.sock" if call.name.startswith("docker") else "/run/podman/podman.sock"
    call.ledger.socket(name)
    reading = {"ps", "images", "inspect", "logs", "stats", "version", "info", "top", "port", "diff", "history"}
    verb = args.operands[0].plain if args.operands else "version"
    if verb not in reading:
        call.ledger.irreversible()
        call.ledger.fixed("write", name)
    if verb in ("run", "exec", "build", "create", "compose", "cp", "plugin", "buildx"):
        call.ledger.opaque(f"{call.name} {verb} runs programs outside the sandbox")


def _database(call: Call) -> None:
    host, port, socket, statement = _DATABASES[call.name]
    args = split(
        call.tokens,
        _spec(
            "hpUdcfoeuDnasPSFLRTvirtx",
            "host port user username dbname command file output execute database password socket log-file",
        ),
    )
    texts = args.of(statement)
    if call.name == "redis-cli":
        texts = list(args.operands)
    if not texts and not args.has("l", "list", "version", "V"):
        call.ledger.opaque(f"{call.name} reads its statements from elsewhere")
    if any(text.text is None or "\\" in text.text or "source " in text.text for text in texts):
        call.ledger.opaque(f"{call.name} runs a statement that may run commands")
    if args.has("f", "file", "init-command", "pager", "u", "uri") or (
        any("=" in token.raw or "://" in token.raw for token in (*args.operands, *args.of(("d", "dbname"))))
        and call.name != "redis-cli"
    ):
        call.ledger.opaque(f"{call.name} contacts or runs what is not plain in the command")
    hosts = args.of((host, "host"))
    if hosts and not (hosts[-1].text or "").startswith("/"):
        _host(call, hosts[-1], _port(args, port, {"psql": 5432, "redis-cli": 6379}.get(call.name, 3306)))
    elif socket:
        call.ledger.socket(socket)
    else:
        call.ledger.host("127.0.0.1", _port(args, port, 6379))
    call.touch("write", *args.of(("o", "output", "L", "log-file")) if call.name == "psql" else ())
    call.ledger.irreversible()


_DATABASES = {
    "psql": ("h", "p", "/var/run/postgresql/.s.PGSQL.5432", ("c", "command")),
    "mysql": ("h", "P", "/var/run/mysqld/mysqld.sock", ("e", "execute")),
    "mariadb": ("h", "P", "/var/run/mysqld/mysqld.sock", ("e", "execute")),
    "redis-cli": ("h", "p", "", ("x",)),
}


def _unknown_target(call: Call) -> None:
    call.ledger.opaque(f"{call.name} contacts a host that is not in the command")


NETWORK: Mapping[str, Callable[[Call], None]] = {
    "curl": _curl,
    "wget": _wget,
    "ssh": _ssh,
    **dict.fromkeys(("scp", "sftp", "rsync"), _copy),
    **dict.fromkeys(("nc", "ncat", "netcat", "nc.openbsd", "nc.traditional"), _netcat),
    **dict.fromkeys(("ping", "ping4", "ping6", "traceroute", "tracepath", "mtr"), _probe),
    "telnet": _telnet,
    **dict.fromkeys(("dig", "nslookup", "host"), _dns),
    "openssl": _openssl,
    **dict.fromkeys(("systemctl", "loginctl", "busctl", "hostnamectl", "timedatectl", "localectl", "machinectl",
                     "networkctl", "resolvectl"), _systemd),
    **dict.fromkeys(("docker", "podman", "docker-compose", "nerdctl"), _containers),
    **dict.fromkeys(_DATABASES, _database),
    **dict.fromkeys(("kubectl", "helm", "ftp", "tftp", "lftp", "aria2c", "nmap", "rclone", "aws", "gcloud", "az",
                     "socat", "smbclient", "mosh", "whois", "mail", "sendmail", "ldapsearch", "mongo", "mongosh",
                     "pg_dump", "mysqldump", "gh", "terraform", "ansible", "ansible-playbook", "iperf", "iperf3",
                     "httpie", "http", "https", "axel", "lynx", "w3m", "links", "elinks", "rsh", "rlogin", "rexec",
                     "snmpwalk", "snmpget", "nsupdate", "ntpdate"), _unknown_target),
}  # fmt: skip
