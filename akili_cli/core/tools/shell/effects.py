"""From a shell command line to ``Effects``: the door of this package."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from akili_cli.core.tools.shell.bash_reading import read_as_bash
from akili_cli.core.tools.shell.builtins import BUILTINS, PLAIN
from akili_cli.core.tools.shell.call import Call, Wrappers
from akili_cli.core.tools.shell.find import read_find
from akili_cli.core.tools.shell.git import read_git
from akili_cli.core.tools.shell.languages import LANGUAGES
from akili_cli.core.tools.shell.ledger import Ledger, Place
from akili_cli.core.tools.shell.network import NETWORK
from akili_cli.core.tools.shell.parse import Parser
from akili_cli.core.tools.shell.programs import IRREVERSIBLE, PROFILES, read_program
from akili_cli.core.tools.shell.shells import SHELLS, read_shell
from akili_cli.core.tools.shell.syntax import Assignment, Chain, Group, Redirect, Script, Simple, UnreadableError
from akili_cli.core.tools.shell.variables import is_dangerous
from akili_cli.core.tools.shell.words import Token, literal, tokenise
from akili_cli.core.tools.shell.wrappers import PRIVILEGED, UNWRAP
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import InvalidArgumentsError

SANDBOX_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MAX_LENGTH = 100_000
MAX_COMMANDS = 2000
MAX_WRAPPERS = 24
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_NUMBER = re.compile(r"-?\d+")


def shell_effects(command: str, *, cwd: str, home: str, path: str = SANDBOX_PATH) -> Effects:
    """Find every simple command of a line, and what it reads, writes, deletes and contacts.

    ``cwd`` and ``home`` are absolute. What cannot be known for certain is ``opaque``. Raises
    ``InvalidArgumentsError`` only for text that no shell can be given: NUL, lone surrogates, too long.
    """
    _check(command)
    ledger = Ledger(path, home)
    reading = _Reading(ledger, Place((cwd,)))
    reading.text(literal(command), (), reading.place)
    reading.finish()
    return ledger.effects()


def _check(command: str) -> None:
    if "\x00" in command:
        raise InvalidArgumentsError("the command contains a NUL character", hint="remove it")
    if len(command) > MAX_LENGTH:
        raise InvalidArgumentsError(f"the command is longer than {MAX_LENGTH} characters", hint="use a script file")
    try:
        command.encode()
    except UnicodeEncodeError as error:
        raise InvalidArgumentsError("the command is not valid text", hint="it holds half a character") from error


@dataclass(slots=True)
class _Reading:
    """Walks one line; ``place`` moves as ``cd`` is met."""

    ledger: Ledger
    place: Place
    functions: set[str] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)
    arithmetic: set[str] = field(default_factory=set)
    moves: bool = False
    loops: int = 0
    count: int = 0

    def finish(self) -> None:
        """Judge what only the whole line shows: arithmetic on values that may hold commands."""
        if doubtful := sorted(self.arithmetic & self.texts):
            self.ledger.opaque(f"arithmetic on {doubtful[0]}, whose value could hold a command")

    def text(self, token: Token, wrappers: Wrappers, place: Place) -> None:
        """Read shell text of its own (the line, ``sh -c``, ``trap``); nothing it does moves the outside."""
        if token.plain is None or _CONTROL.search(token.plain):
            self.ledger.opaque(f"cannot be parsed: {token.raw[:60]!r} is computed or holds control characters")
            if token.plain is None:
                return
        parser = Parser(token.plain, len(wrappers))
        script: Script = []
        problem = ""
        try:
            script = parser.parse()
        except UnreadableError as error:
            problem = f"cannot be parsed: {error}"
        except RecursionError:
            problem = "cannot be parsed: nested too deep"
        self.arithmetic |= parser.arithmetic
        self.moves = self.moves or any(
            word.literal == "cd" for node in parser.found if isinstance(node, Simple) for word in node.words
        )
        if problem:
            self.ledger.opaque(problem)
            self._salvage(parser.found, token.plain, wrappers, place)
            return
        self._compare(parser, token.plain)
        outside, self.place = self.place, place
        self._script(script, wrappers)
        self.place = outside

    def _salvage(self, found: list[Simple | Group], text: str, wrappers: Wrappers, place: Place) -> None:
        """Name what is there of an unreadable line, so that deny rules and the preview see it."""
        for node in found[:MAX_COMMANDS]:
            if isinstance(node, Simple):
                self._simple(node, wrappers)
        for line in read_as_bash(text[:10_000]).commands[:200]:
            if line[0].isprintable():
                self.ledger.command(tuple(literal(word) for word in line), wrappers, place)

    def _compare(self, parser: Parser, text: str) -> None:
        if len(text) > MAX_LENGTH // 10 and len(parser.found) > MAX_COMMANDS:
            self.ledger.opaque("too many commands in one line")
            return
        second = read_as_bash(text)
        names = {node.words[0].literal for node in parser.found if isinstance(node, Simple) and node.words}
        hidden = sorted(name for name in second.names if name not in names)
        if hidden or not second.sound:
            self.ledger.opaque(f"cannot be parsed: shells disagree about {hidden[0] if hidden else 'this line'!r}")

    def variable(self, name: str, value: Token | None = None) -> None:
        """Note that a variable is set."""
        if is_dangerous(name):
            self.ledger.opaque(f"sets {name}, which changes what commands do")
        if value is None or value.text is None or not _NUMBER.fullmatch(value.text):
            self.texts.add(name)

    def move(self, place: Place) -> None:
        """Change the directory for what follows; inside loops and functions the order is not followed."""
        self.place = Place(place.dirs, known=False) if self.loops else place

    def _script(self, script: Script, wrappers: Wrappers) -> None:
        for chain in script:
            self._chain(chain, wrappers)

    def _chain(self, chain: Chain, wrappers: Wrappers) -> None:
        before = self.place
        for index, pipeline in enumerate(chain.pipelines):
            if index and chain.operators[index - 1] == "||":
                self.place = self.place.or_else(before)
            start = self.place
            for node in pipeline:
                self._node(node, wrappers)
                if len(pipeline) > 1:
                    self.place = start.or_else(self.place)
        if self.place != before:
            # after "cd X;" the shell is in X, or still where it was when X could not be entered
            self.place = before if chain.background else self.place.or_else(before)

    def _node(self, node: Simple | Group, wrappers: Wrappers) -> None:
        self.count += 1
        if self.count > MAX_COMMANDS:
            if self.count == MAX_COMMANDS + 1:
                self.ledger.opaque("too many commands in one line")
            return
        if isinstance(node, Simple):
            self._simple(node, wrappers)
            return
        self._heading(node, wrappers)
        before = self.place
        repeated = node.kind in ("loop", "function")
        if repeated and self.moves:  # a cd may come before the next round or call
            self.place = Place(before.dirs, known=False)
        self.loops += repeated
        for script in node.scripts:
            self._script(script, wrappers)
        self.loops -= repeated
        if node.kind == "subshell":
            self.place = before
        elif node.kind != "brace":
            self.place = self.place.or_else(before)

    def _heading(self, node: Group, wrappers: Wrappers) -> None:
        for word in node.words:
            self._substitutions(word.scripts, wrappers)
        if node.kind == "loop" and node.name:
            values = [tokenise(word, self.ledger.home) for word in node.words]
            for value in values or [Token("$@", None)]:
                self.variable(node.name, value)
        elif node.kind == "function":
            self.functions.add(node.name)
        for redirect in node.redirects:
            self._redirect(redirect, wrappers)

    def _substitutions(self, scripts: Iterable[Script], wrappers: Wrappers) -> None:
        before = self.place
        for script in scripts:
            self._script(script, wrappers)
        self.place = before

    def _simple(self, node: Simple, wrappers: Wrappers) -> None:
        for word in node.words:
            self._substitutions(word.scripts, wrappers)
        for redirect in node.redirects:
            self._redirect(redirect, wrappers)
        for assignment in node.assignments:
            self._assign(assignment, wrappers)
        if node.words:
            self.run(tuple(tokenise(word, self.ledger.home) for word in node.words), wrappers, self.place)

    def _assign(self, assignment: Assignment, wrappers: Wrappers) -> None:
        self._substitutions(assignment.value.scripts, wrappers)
        parts = [part for part in assignment.value.parts if part.text != ""]
        number = literal("0") if parts and all(part.arithmetic for part in parts) else None
        text = assignment.value.literal
        self.variable(assignment.name, number or (None if text is None else literal(text)))

    def _redirect(self, redirect: Redirect, wrappers: Wrappers) -> None:
        self._substitutions(redirect.target.scripts, wrappers)
        self._substitutions(redirect.body, wrappers)
        if redirect.operator in ("<<", "<<-", "<<<"):
            return
        target = tokenise(redirect.target, self.ledger.home)
        if redirect.operator in (">&", "<&") and re.fullmatch(r"\d+-?|-", target.plain or ""):
            return
        if target.text is None and redirect.target.raw.startswith(("<(", ">(")):
            return
        if redirect.operator in ("<", "<>", "<&"):
            self.ledger.touch("read", target, self.place)
        if redirect.operator not in ("<", "<&"):
            before = self.ledger.written
            self.ledger.touch("write", target, self.place)
            if self.ledger.written > before and redirect.operator not in (">>", "<>", "&>>"):
                self.ledger.irreversible()

    def run(self, tokens: tuple[Token, ...], wrappers: Wrappers, place: Place) -> None:
        """Read one command given as arguments."""
        head = tokens[0] if tokens else Token("", "")
        name = head.plain
        if not name:
            self.ledger.opaque(f"the command name {head.raw!r} is computed" if head.raw else "no command name")
            return
        if len(wrappers) > MAX_WRAPPERS:
            self.ledger.opaque("wrapped too deep")
            return
        program, file = self.ledger.program(name, place)
        target = Path(file).name if file else program
        if target in _KNOWN and program not in _KNOWN and not IRREVERSIBLE.fullmatch(program):
            program = target
        call = Call(program, tokens[1:], wrappers, place, self.ledger, self)
        try:
            self._dispatch(call, tokens)
        except UnreadableError as error:
            self.ledger.command(tokens, wrappers, place)
            self.ledger.opaque(str(error))

    def _dispatch(self, call: Call, tokens: tuple[Token, ...]) -> None:
        name = call.name
        if name in PRIVILEGED:
            self.ledger.command(tokens, call.wrappers, call.place)
        if name in UNWRAP:
            UNWRAP[name](call)
        elif name in SHELLS:
            read_shell(call)
        elif name == "find":
            read_find(call)
        elif name == "git":
            read_git(call)
        elif name in LANGUAGES:
            LANGUAGES[name](call)
        else:
            self._plain(call, tokens)

    def _plain(self, call: Call, tokens: tuple[Token, ...]) -> None:
        name = call.name
        if name in self.functions and self.ledger.find(name) is None and name not in _KNOWN:
            return
        self.ledger.command(tokens, call.wrappers, call.place)
        if name in BUILTINS:
            BUILTINS[name](call)
        elif name in NETWORK:
            NETWORK[name](call)
        elif name == "kill" or name not in PLAIN:
            read_program(call)


_KNOWN = frozenset(
    (*UNWRAP, *SHELLS, "find", "git", *LANGUAGES, *BUILTINS, *PLAIN, *NETWORK, *PROFILES, "kill", "dd", "tar")
)
