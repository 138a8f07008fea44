"""find: where it looks, what it deletes, what it runs on what it finds."""

from __future__ import annotations

from akili_cli.core.tools.shell.call import Call
from akili_cli.core.tools.shell.words import Token, computed, literal

_RUNS = frozenset({"-exec", "-execdir", "-ok", "-okdir"})
_WRITES = frozenset({"-fprint", "-fprint0", "-fls", "-fprintf"})
_READS = frozenset({"-newer", "-anewer", "-cnewer", "-samefile", "-files0-from"})


def read_find(call: Call) -> None:
    """Note roots, then each action."""
    call.record()
    tokens = list(call.tokens)
    while tokens and (tokens[0].plain in ("-H", "-L", "-P") or (tokens[0].plain or "").startswith(("-D", "-O"))):
        if tokens.pop(0).plain == "-D" and tokens:
            tokens.pop(0)
    roots: list[Token] = []
    while tokens and not (tokens[0].plain or "").startswith(("-", "(", ")", "!", ",")):
        roots.append(tokens.pop(0))
    roots = roots or [literal(".")]
    call.touch("read", *roots)
    while tokens:
        _test_or_action(call, tokens.pop(0), tokens, roots)


def _test_or_action(call: Call, token: Token, tokens: list[Token], roots: list[Token]) -> None:
    if token.text is None:
        call.ledger.opaque(f"find with the computed argument {token.raw!r}")
    elif token.text == "-delete":
        call.touch("delete", *roots)
    elif token.text in _WRITES:
        call.touch("write", *tokens[:1])
    elif token.text in _READS or token.text.startswith("-newer"):
        call.touch("read", *tokens[:1])
        if token.text == "-files0-from":
            call.ledger.opaque("find takes its roots from a file")
    elif token.text in _RUNS:
        _action(call, _taken(tokens), roots)


def _taken(tokens: list[Token]) -> list[Token]:
    inner: list[Token] = []
    while tokens:
        token = tokens.pop(0)
        if token.plain == ";" or (token.plain == "+" and inner and inner[-1].plain == "{}"):
            break
        inner.append(token)
    return inner


def _action(call: Call, inner: list[Token], roots: list[Token]) -> None:
    if not inner or "{}" in inner[0].raw:
        call.ledger.opaque("find runs the files it finds")
        return
    words: list[Token] = [inner[0]]
    for token in inner[1:]:
        if token.plain == "{}":
            words.extend(roots)
        else:
            words.append(computed(token.raw) if "{}" in token.raw else token)
    call.reader.run(tuple(words), call.inside, call.place)
