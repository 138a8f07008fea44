"""What the shell's own commands do to what follows."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from akili_cli.core.tools.shell.call import Call
from akili_cli.core.tools.shell.ledger import Place
from akili_cli.core.tools.shell.names import names
from akili_cli.core.tools.shell.syntax import UnreadableError
from akili_cli.core.tools.shell.words import literal

_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_NAME_VALUE = re.compile(r"([A-Za-z_]\w*)(?:\+?=(.*))?", re.DOTALL | re.ASCII)
_SET = re.compile(
    r"(?:[-+][euxfCvnmb]+ ?|[-+][eux]*o (?:pipefail|errexit|nounset|xtrace|noglob|noclobber) ?)*(?:--(?: .*)?)?",
    re.DOTALL,
)
_NUMERIC_TEST = frozenset({"-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-v", "-R"})
_SHOPT = frozenset({"nullglob", "failglob", "dotglob", "globstar", "nocaseglob", "-s", "-u", "-p", "-q"})


def _always(reason: str) -> Callable[[Call], None]:
    def refuse(call: Call) -> None:
        call.ledger.opaque(f"{call.name}: {reason}")

    return refuse


def _eval(call: Call) -> None:
    call.ledger.opaque("eval runs text as a command")
    if call.tokens and all(token.plain is not None for token in call.tokens):
        call.reader.text(literal(" ".join(call.texts)), call.inside, call.place)


def _source(call: Call) -> None:
    call.touch("read", *call.tokens[:1])
    call.ledger.opaque(f"{call.name} runs a file whose commands are not known")


def _alias(call: Call) -> None:
    if any("=" in text or token.text is None for text, token in zip(call.texts, call.tokens, strict=True)):
        call.ledger.opaque("alias gives commands another meaning")


def _hash(call: Call) -> None:
    if any(token.plain is None or token.plain.startswith("-p") for token in call.tokens):
        call.ledger.opaque("hash -p gives a command another file")
    if any(re.match(r"-\w*p", text) for text in call.texts):
        call.ledger.opaque("hash -p gives a command another file")


def _set(call: Call) -> None:
    text = " ".join(call.texts)
    if not _SET.fullmatch(text):
        call.ledger.opaque("set changes how the shell reads commands")


def _shopt(call: Call) -> None:
    if not set(call.texts) <= _SHOPT:
        call.ledger.opaque("shopt changes how the shell reads commands")


def _declare(call: Call) -> None:
    for token in call.tokens:
        text = token.text
        if text is not None and re.fullmatch(r"-[xrgpaAfF]+|\+x", text):
            continue
        found = _NAME_VALUE.fullmatch(token.raw if text is None else text)
        if found is None:
            raise UnreadableError(f"{call.name} with {token.raw!r}")
        value = found.group(2)
        call.reader.variable(found.group(1), None if text is None or value is None else literal(value))


def _names(call: Call) -> None:
    """Commands that set variables: every operand must be a plain name."""
    skip = False
    for token in call.tokens:
        text = token.plain
        if skip:
            skip = False
            continue
        if text is not None and re.fullmatch(r"-[rsea]*[ptnNudi]", text) and call.name == "read":
            skip = True
        elif text is not None and re.fullmatch(r"-[rstfv]+", text):
            continue
        elif text is None or not _NAME.fullmatch(text):
            raise UnreadableError(f"{call.name} with {token.raw!r}")
        else:
            call.reader.variable(text)


def _trap(call: Call) -> None:
    tokens = [token for token in call.tokens if token.plain != "--"]
    if not tokens or tokens[0].plain in ("-", "", "-p", "-l"):
        return
    place = Place(call.place.dirs, known=call.place.known and not call.reader.moves)
    call.reader.text(tokens[0], call.wrappers, place)


def _printf(call: Call) -> None:
    if call.texts and (call.texts[0].startswith("-v") or call.tokens[0].text is None):
        call.ledger.opaque("printf -v sets a variable")


def _test(call: Call) -> None:
    if "-v" in call.texts or "-R" in call.texts:
        call.ledger.opaque("test -v may run a command hidden in a name")


def _double_bracket(call: Call) -> None:
    if _NUMERIC_TEST & set(call.texts):
        call.ledger.opaque("[[ ]] with numbers may run a command hidden in a value")


def _wait(call: Call) -> None:
    if any(text.startswith("-p") for text in call.texts):
        call.ledger.opaque("wait -p sets a variable")


def _cd(call: Call) -> None:
    operands = [token for token in call.tokens if token.plain not in ("-P", "-L", "-e", "-@", "--")]
    target = operands[0] if operands else literal("")
    call.touch("read", target)
    call.reader.move(call.place.moved(target, call.ledger.home))


BUILTINS: Mapping[str, Callable[[Call], None]] = {
    "eval": _eval,
    ".": _source,
    "source": _source,
    "alias": _alias,
    "hash": _hash,
    "set": _set,
    "shopt": _shopt,
    **dict.fromkeys(("export", "declare", "typeset", "local", "readonly"), _declare),
    **dict.fromkeys(("read", "unset"), _names),
    "trap": _trap,
    "printf": _printf,
    **dict.fromkeys(("test", "["), _test),
    "[[": _double_bracket,
    "wait": _wait,
    "cd": _cd,
    **dict.fromkeys(("pushd", "popd"), _always("changes the directory in ways that are not followed")),
    **dict.fromkeys(("enable", "bind", "fc", "history", "complete", "compgen"), _always("changes the shell")),
    **dict.fromkeys(("let", "getopts", "mapfile", "readarray", "caller"), _always("sets variables by name")),
}
PLAIN = names(
    ": true false echo pwd exit return break continue shift umask ulimit times type jobs bg fg "
    "disown unalias dirs suspend logout help kill"
)
