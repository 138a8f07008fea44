"""awk and sed hold programs of their own: only those that plainly neither run nor write pass."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from akili_cli.core.tools.shell.call import Call
from akili_cli.core.tools.shell.names import names
from akili_cli.core.tools.shell.options import OptionSpec, split
from akili_cli.core.tools.shell.words import Token

_AWK_RUNS = re.compile(r"system|\||@|getline|/inet|print[^\0]*>|close\s*\(|\\\n")
_ADDRESS = r"(?:\d+(?:~\d+)?|\$|/(?:[^/\\\n]|\\.)*/I?)"
_SED_SUBSTITUTE = r"s(?P<d>[^\w\s\\])(?:(?!(?P=d))[^\\\n]|\\[^\n])*(?P=d)(?:(?!(?P=d))[^\\\n]|\\[^\n])*(?P=d)[gpIi\d]*"
_SED_COMMAND = re.compile(
    rf"\s*(?:{_ADDRESS}(?:\s*,\s*(?:\+?\d+|{_ADDRESS}))?)?\s*!?\s*(?:{_SED_SUBSTITUTE}|[pdDPNnhHgGx=]|q\d*)\s*(?:[;\n]|\Z)"
)


def read_awk(call: Call) -> None:
    """awk: the program text must not hold system(), pipes or output files."""
    call.record()
    spec = OptionSpec(
        takes="FvfeiElW",
        long_takes=names("field-separator assign file source include exec load"),
        permute=False,
    )
    args = split(call.tokens, spec)
    if args.has("f", "file", "i", "include", "E", "exec", "l", "load", "W", "D", "p", "o", "d"):
        call.ledger.opaque(f"{call.name} runs a program that is not in the command")
    operands = list(args.operands)
    texts = args.of(("e", "source")) or operands[:1]
    operands = operands if args.has("e", "source") else operands[1:]
    if not texts or any(text.text is None or _AWK_RUNS.search(text.text) for text in texts):
        call.ledger.opaque(f"the {call.name} program may run commands or write files")
    call.touch("read", *(token for token in operands if "=" not in token.raw))


def read_sed(call: Call) -> None:
    """sed: e, w and r are refused unless --sandbox; -i writes its operands."""
    call.record()
    spec = OptionSpec(
        takes="efl",
        long_takes=frozenset(("expression", "file", "line-length")),
        long_flags=frozenset(("in-place", "sandbox", "quiet", "silent", "regexp-extended", "null-data")),
    )
    in_place = any(re.match(r"-[nErsuz]*i|--i", text) for text in call.texts)
    tokens = [token for token in call.tokens if not re.match(r"-[nErsuz]*i|--i", token.plain or "")]
    args = split(tokens, spec)
    operands = list(args.operands)
    texts = args.of(("e", "expression"))
    if args.has("f", "file"):
        call.ledger.opaque("sed runs a script that is not in the command")
    elif not texts:
        texts, operands = operands[:1], operands[1:]
    sandbox = any(name == "sandbox" for name, _value in args.options)
    if not sandbox and not all(_harmless_sed(text) for text in texts):
        call.ledger.opaque("the sed script may run commands or write files")
    call.touch("write" if in_place else "read", *operands)
    if in_place:
        call.ledger.irreversible()


def _harmless_sed(text: Token) -> bool:
    if text.text is None or len(text.text) > 2000:  # noqa: PLR2004 - longer than any one-liner
        return False
    at = 0
    while at < len(text.text):
        found = _SED_COMMAND.match(text.text, at)
        if found is None or found.end() == at:
            return False
        at = found.end()
    return True


LANGUAGES: Mapping[str, Callable[[Call], None]] = {
    **dict.fromkeys(("awk", "gawk", "mawk", "nawk", "original-awk"), read_awk),
    **dict.fromkeys(("sed", "gsed"), read_sed),
}
