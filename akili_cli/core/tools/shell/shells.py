"""``sh -c`` and its relatives: the text is read on; a script nobody has read is opaque."""

from __future__ import annotations

from akili_cli.core.tools.shell.call import Call
from akili_cli.core.tools.shell.words import Token

_ALIKE = frozenset({"sh", "bash", "dash", "ash", "ksh", "mksh", "rbash"})
_FOREIGN = frozenset({"zsh", "fish", "csh", "tcsh", "rc", "nu", "xonsh", "pwsh", "elvish"})
SHELLS = _ALIKE | _FOREIGN
_LETTERS = frozenset("abcefhkmnuvxBCEHPTpl")
_HARMLESS = frozenset({"--posix", "--noprofile", "--norc", "--login", "--restricted", "--verbose"})


def read_shell(call: Call) -> None:
    """Read on in the text after -c; otherwise say that the commands are not known."""
    if call.name in _FOREIGN:
        call.ledger.opaque(f"{call.name} has a grammar of its own")
    tokens = list(call.tokens)
    if [token.plain for token in tokens] in (["--version"], ["--help"]):
        call.record()
        return
    if _options(call, tokens):
        if not tokens:
            call.ledger.opaque(f"{call.name} -c without a text")
            return
        call.reader.text(tokens[0], call.inside, call.place)
        return
    call.record()
    if tokens:
        call.touch("read", tokens[0])
    call.ledger.opaque(f"{call.name} runs a script whose commands are not known")


def _options(call: Call, tokens: list[Token]) -> bool:
    """Take the options off; tell whether -c is among them."""
    given = False
    while tokens:
        text = tokens[0].plain
        if text is None or text in ("-", "--") or not text.startswith(("-", "+")):
            break
        tokens.pop(0)
        if text.startswith("--"):
            if text not in _HARMLESS:
                call.ledger.opaque(f"{call.name} with the option {text}")
            continue
        given = given or (text.startswith("-") and "c" in text)
        if not set(text[1:]) <= _LETTERS | {"o", "O"}:
            call.ledger.opaque(f"{call.name} with the option {text}")
        for letter in text[1:]:
            if letter in "oO" and tokens:
                tokens.pop(0)
    if tokens and tokens[0].plain in ("-", "--"):
        tokens.pop(0)
    return given
