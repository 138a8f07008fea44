"""What says that the value beside it is a secret: names of keys, variables, fields and flags.

Every pattern is linear: bounded, or anchored so that no start position is scanned twice.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache, partial
from itertools import pairwise


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_ALWAYS = _set(
    "password passwords passwd passphrase passphrases pgpassword mysqlpwd secret secrets credential credentials "
    "creds authorization cookie cookies apikey apikeys privatekey secretkey accesskey authkey authtoken "
    "accesstoken refreshtoken sessiontoken clientsecret sharedsecret userpassword dbpassword rootpassword mnemonic "
    "mnemonics seedphrase recoveryphrase presharedkey"
)
_EXACT = frozenset({"pass", "auth", "pwd", "jwt", "bearer", "psk"})
_TOKEN_OWNERS = _set("access auth refresh bearer api bot session id github gitlab slack npm personal")
_KEY_OWNERS = _set(
    "api private secret access auth signing encryption master ssh account shared service server app "
    "storage session hmac aes rsa deploy preshared sas"
)
_PASS_OWNERS = _set(
    "ssh become sudo root admin user db database mysql mariadb postgres pg redis mongo rabbitmq amqp smtp imap mail "
    "ftp sftp ldap proxy auth http basic key vnc wifi"
)
_COUNTING = _set(
    "used count counts limit limits budget usage max min total input output prompt completion cached per "
    "remaining estimate estimated window reasoning price cost"
)
_ABOUT = _set(
    "file files path dir name names ref refs reference url uri endpoint type types length size policy version expiry "
    "expires expiration ttl required enabled disabled authentication method provider providers store stdin env "
    "rotation age count manager algorithm algo format prefix header field fields label source scope scopes status "
    "error errors prompt attempts min max at s seconds chars bytes arn created updated changed"
)
_PLAIN = _set(
    "true false yes no on off none null nil undefined required optional empty unset missing invalid expired "
    "incorrect wrong denied failed str int bool bytes string integer boolean float any object dict list"
)
_REFERENCE = re.compile(r"(?:env|vault|keyring|file|secret)://\S+\Z")
PLACEHOLDER = re.compile(r"[\$%]|<[^>]*>\Z|\{\{|\{[A-Za-z_]\w*\}\Z|([*xX.#\u2022\-])\1*\Z|\[redacted:")
_LOOKUP = re.compile(
    r"(?:os\.environ|process\.env|import\.meta\.env|ENV|env|vars?|local|secrets|inputs|module|data|self|this|config|settings"
    r"|options|args|params|request|ctx)(?:\.[A-Za-z_]\w{0,60}|\[[\"']?\w{0,60}[\"']?\]?)++\Z"
)
_DOTTED = re.compile(r"[a-z_]+(?:\.[a-z_]+)+\Z")


_PHRASES = (["seed", "phrase"], ["recovery", "phrase"], ["backup", "phrase"], ["seed", "words"])


def _secret_words(words: list[str]) -> bool:
    named = set(words)
    if words[-1] in _ABOUT and not (words[-1] == "id" and "secret" in named):
        return False
    if named & _ALWAYS or any(word.endswith(("password", "passwd")) for word in words):
        return True
    if len(words) > 1 and words[-1] == "pass" and words[-2] in _PASS_OWNERS:
        return True
    if named & _COUNTING:
        return False
    if "token" in named and words[-1] not in {"id", "ids"}:
        return True
    if "tokens" in named and named & _TOKEN_OWNERS:
        return True
    return _owns_key(words) or words[-2:] in _PHRASES or words[-3:] == ["client", "key", "data"]


def _owns_key(words: list[str]) -> bool:
    owned = any(first in _KEY_OWNERS and second in {"key", "keys"} for first, second in pairwise(words))
    return owned and words[-1] not in {"id", "ids"}


@lru_cache(maxsize=4096)
def _secret_name(name: str) -> bool:
    words = [word.lower() for word in _WORDS.findall(name)]
    while words and words[-1].isdigit():
        words.pop()
    return bool(words) and ((len(words) == 1 and words[0] in _EXACT) or _secret_words(words))


def is_secret_name(name: str) -> bool:
    """Tell whether a key or variable of this name holds a secret.

    ``db_password``, ``apiKey``, ``X-Auth-Token`` do; ``tokens_used``, ``max_tokens``, ``password_file`` and a
    bare ``key`` do not.
    """
    return _secret_name(name[-200:])


def is_plain_value(name: str, value: str) -> bool:
    """Tell whether what stands under a secret name is no secret: empty, a reference, a placeholder, a count."""
    if not value or value.lower() in _PLAIN or _REFERENCE.match(value) or PLACEHOLDER.match(value):
        return True
    low = name.lower()
    if "mnemonic" in low and len(value) < _PHRASE_CHARS:
        return True
    if "token" in low and value.isdigit() and len(value) <= _COUNT_DIGITS:
        return True
    return low.endswith("pwd") and value.startswith(("/", "~"))


def label(name: str) -> str:
    """Give the name a redacted value is shown under: short, and safe inside the brackets."""
    return re.sub(r"[^A-Za-z0-9_.\-/]", "-", name.strip("-\"' "))[:60].strip("-").lower() or "secret"


KEYWORDS = tuple("pass secret token key auth cred cookie pwd jwt bearer mnemonic phrase psk".split())  # noqa: SIM905 - readable
_ASCII_LOWER = str.maketrans({chr(code): chr(code + 32) for code in range(65, 91)})

_ASSIGNED = re.compile(
    r"(?<![A-Za-z0-9_.\-])-{0,8}(?P<name>[A-Za-z_][A-Za-z0-9_.\-]{0,199})"
    r"(?P<mid>\\{0,3}[\"']?\]?\s{0,3}(?:=>|:=|==?|:)\s{0,3})"
)
_ASSIGNED_VALUE = re.compile(
    r"\"(?:[^\"\\\n]|\\.){1,8000}\"?|'(?:[^'\\\n]|\\.){1,8000}'?|\\{1,3}[\"'][^\"'\n]{1,8000}"
    r"|[^\s\"'`,;&|<>(){}\[\]\\][^\s\"'`,;&|<>(){}\\]{0,8000}"
)
_FLAGGED = re.compile(r"--(?<![A-Za-z0-9_\-]--)(?P<name>[A-Za-z][A-Za-z0-9_\-]{0,99})(?P<mid>\s{1,4})")
_FLAGGED_VALUE = re.compile(r"\"[^\"\n]{1,8000}\"?|'[^'\n]{1,8000}'?|[^\s\"'\-`,;&|<>(){}][^\s\"'`;&|<>(){}]{0,8000}")
_TAGGED = re.compile(r"<(?P<name>[A-Za-z][A-Za-z0-9_.\-]{0,99})(?P<mid>>\s{0,4})")
_TAGGED_VALUE = re.compile(r"[^<>\s][^<>\n]{0,4000}(?=</)")
_REST_OF_LINE = re.compile(r"[^\S\n][^\n\"'{}\[\],;#]{1,2000}")
_NAME_ENDS = tuple(
    re.compile(word + r"[A-Za-z0-9_.\-]{0,200}+\\{0,3}[\"']?\]?\s{0,3}[=:]") for word in KEYWORDS
)  # one for each, for a pattern that begins with a literal is quick
_NAME_CHARS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-")
_NAME_LONGEST = 200
_INDENT_CHARS = 200
_SHORT_VALUE = 3
_COUNT_DIGITS = 7
_PHRASE_CHARS = 20


def _unquoted(value: str) -> tuple[str, str, str]:
    opening = re.match(r"\\{0,3}[\"']?", value)
    start = opening.group() if opening else ""
    inner = value[len(start) :]
    quote = start[-1:]
    if quote and quote in "\"'" and inner.endswith(quote):
        return start, inner[:-1], quote
    tail = re.search(r"\\{1,3}\Z", inner) if start.startswith("\\") else None
    return (start, inner[: tail.start()], tail.group()) if tail else (start, inner, "")


_Find = Callable[[int], re.Match[str] | None]


def _hide_values(text: str, find: _Find, valued: re.Pattern[str]) -> str:
    """Replace values under secret names; what stands under another name is searched in its turn."""
    out: list[str] = []
    done = position = 0
    while found := find(position):
        position = found.end()
        value = valued.match(text, position) if is_secret_name(found["name"]) else None
        if value is None or (hidden := _hidden(found, value)) is None:
            continue
        position = value.end()
        if hidden.endswith("]") and _begins_yaml_line(found):
            rest = _REST_OF_LINE.match(text, position)
            position = rest.end() if rest else position
        out += [text[done : found.end()], hidden]
        done = position
    return "".join([*out, text[done:]]) if out else text


def _find_assigned(text: str) -> _Find:
    """Try only the words that hold one of ``KEYWORDS``: no other can be a secret name."""
    starts = iter(_name_starts(text))

    def find(position: int) -> re.Match[str] | None:
        for start in starts:
            if start >= position and (found := _ASSIGNED.match(text, start)):
                return found
        return None

    return find


def _name_starts(text: str) -> list[int]:
    """Give where each word begins that holds one of ``KEYWORDS``, as every secret name does, and has a value."""
    low = text.lower()
    if len(low) != len(text):
        low = text.translate(_ASCII_LOWER)
    hits = sorted(found.start() for end in _NAME_ENDS for found in end.finditer(low))
    starts: list[int] = []
    last = -1
    for hit in hits:
        begin = hit
        while begin > last and begin > 0 and hit - begin < _NAME_LONGEST and text[begin - 1] in _NAME_CHARS:
            begin -= 1
        if begin > last:
            starts.append(begin)
        last = hit
    return starts


def _hidden(found: re.Match[str], value: re.Match[str]) -> str | None:
    name = found["name"]
    start, inner, end = _unquoted(value.group())
    if len(inner) < _SHORT_VALUE or is_plain_value(name, inner):
        return None
    following = value.string[value.end() : value.end() + 1]
    if not start and (following in {"(", "["} or inner == name or _names_another(inner) or _LOOKUP.match(inner)):
        return None
    return f"{start}[redacted:{label(name)}]{end}"


def _begins_yaml_line(found: re.Match[str]) -> bool:
    if ": " not in found["mid"]:
        return False
    start = found.start()
    before = found.string[max(0, start - _INDENT_CHARS) : start]
    line = before[before.rfind("\n") + 1 :]
    return not line.strip("- \t") and (len(line) < len(before) or start <= _INDENT_CHARS)


def _names_another(value: str) -> bool:
    return bool(_DOTTED.match(value)) and is_secret_name(value.rpartition(".")[2])


def hide_named(text: str) -> str:
    """Replace values that stand under a secret name: ``password=x``, ``"token": "x"``, ``--api-key x``, XML."""
    text = _hide_values(text, _find_assigned(text), _ASSIGNED_VALUE)
    if "--" in text:
        text = _hide_values(text, partial(_FLAGGED.search, text), _FLAGGED_VALUE)
    return _hide_values(text, partial(_TAGGED.search, text), _TAGGED_VALUE) if "</" in text else text
