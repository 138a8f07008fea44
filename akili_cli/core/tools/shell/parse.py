"""Turns a shell line into chains of commands, by the POSIX grammar; what shells read differently is refused."""

from __future__ import annotations

import re

from akili_cli.core.tools.shell.lexer import Lexer
from akili_cli.core.tools.shell.syntax import (
    Assignment,
    Chain,
    Group,
    Redirect,
    Script,
    Simple,
    UnreadableError,
    Word,
)

REDIRECTS = frozenset({"<", ">", ">>", ">|", "<>", "<&", ">&", "<<", "<<-", "<<<", "&>", "&>>"})
_RESERVED = re.compile(
    r"(?:if|then|elif|else|fi|do|done|case|esac|while|until|for|select|function|\{|\}|!)(?=[\s;&|()<>]|\Z)"
)
_CLOSERS = frozenset({"then", "elif", "else", "fi", "do", "done", "esac", "}"})
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)\+?=", re.ASCII)
_SUBSCRIPT = re.compile(r"[A-Za-z_]\w*\[", re.ASCII)
_DESCRIPTOR = re.compile(r"\d(?=[<>])")
_ODD_DESCRIPTOR = re.compile(r"(?:\d\d+|\{\w+\})(?=[<>])")


class Parser(Lexer):
    """Reads one text. ``chains`` grows while reading, so that a failure keeps what was found."""

    def __init__(self, text: str, depth: int = 0) -> None:
        """Start at the beginning."""
        super().__init__(text, depth)
        self.found: list[Simple | Group] = []
        self._pending: list[tuple[str, Redirect]] = []

    def parse(self) -> Script:
        """Read everything; raises ``UnreadableError``, with ``found`` holding the commands read so far."""
        script = self.script()
        self.blanks()
        if self.at < len(self.text):
            raise UnreadableError(f"cannot be parsed at {self.text[self.at : self.at + 20]!r}")
        return script

    def here_documents_pending(self) -> int:
        """Count here-documents whose body is still to come."""
        return len(self._pending)

    def nested(self, text: str) -> Script:
        """Read the inside of backquotes, which is a text of its own."""
        inner = Parser(text, self.depth)
        inner.deeper()
        inner.found = self.found
        inner.arithmetic = self.arithmetic
        return inner.parse()

    def script(self) -> Script:
        """Read chains up to a closing token, which stays."""
        chains: Script = []
        while True:
            self._newlines()
            if self.at >= len(self.text) or self._closing():
                return chains
            pipelines, operators = [self._pipeline()], []
            while self.operator() in ("&&", "||"):
                operators.append(self._take())
                self._newlines()
                pipelines.append(self._pipeline())
            ending = self.operator()
            chains.append(Chain(tuple(pipelines), tuple(operators), ending == "&"))
            if ending not in (";", "&", "\n"):
                return chains
            self._take()

    def _closing(self) -> bool:
        return self._reserved() in _CLOSERS or self.operator() in (")", ";;", ";&", ";;&")

    def _reserved(self) -> str:
        self.blanks()
        found = _RESERVED.match(self.text, self.at)
        return found.group() if found else ""

    def _keyword(self, *words: str) -> str:
        found = self._reserved()
        if found not in words:
            raise UnreadableError(f"expected {' or '.join(words)} at {self.text[self.at : self.at + 20]!r}")
        self.at += len(found)
        return found

    def _take(self) -> str:
        operator = self.operator()
        self.at += len(operator)
        if operator == "\n":
            self._bodies()
        return operator

    def _expect(self, operator: str) -> None:
        if self.operator() != operator:
            raise UnreadableError(f"expected {operator!r} at {self.text[self.at : self.at + 20]!r}")
        self._take()

    def _newlines(self) -> None:
        while self.operator() == "\n":
            self._take()

    def _bodies(self) -> None:
        pending, self._pending = self._pending, []
        for delimiter, redirect in pending:
            lines: list[str] = []
            while self.at < len(self.text):
                end = self.text.find("\n", self.at)
                stop = len(self.text) if end < 0 else end
                line, self.at = self.text[self.at : stop], min(stop + 1, len(self.text))
                if (line.lstrip("\t") if redirect.operator == "<<-" else line) == delimiter:
                    break
                lines.append(line)
            quoted = any(part.quoted for part in redirect.target.parts)
            if not quoted:
                self._body("\n".join(lines), redirect)

    def _body(self, text: str, redirect: Redirect) -> None:
        if re.search(r"\\\n", text):
            raise UnreadableError("a line continuation inside a here-document")
        inner = Parser(text, self.depth)
        inner.deeper()
        inner.found, inner.arithmetic = self.found, self.arithmetic
        for part in inner.expanded(""):
            redirect.body.extend(part.scripts)

    def _pipeline(self) -> tuple[Simple | Group, ...]:
        while self._reserved() == "!":
            self._keyword("!")
        commands = [self._command()]
        while self.operator() in ("|", "|&"):
            self._take()
            self._newlines()
            commands.append(self._command())
        return tuple(commands)

    def _command(self) -> Simple | Group:
        reserved = self._reserved()
        if reserved or self.operator() == "(":
            self.deeper()
            group = self._compound(reserved)
            self.depth -= 1
            redirects = self._redirects()
            group = Group(group.kind, group.scripts, redirects, group.words, group.name)
            self.found.append(group)
            return group
        return self._simple()

    def _compound(self, reserved: str) -> Group:
        match reserved:
            case "":
                return self._subshell()
            case "{":
                self._keyword("{")
                script = self.script()
                self._keyword("}")
                return Group("brace", (script,))
            case "if":
                return self._if()
            case "while" | "until":
                self._keyword(reserved)
                condition = self.script()
                return Group("loop", (condition, self._do()))
            case "for" | "select":
                return self._for(reserved)
            case "case":
                return self._case()
            case "function":
                return self._function_keyword()
            case _:
                raise UnreadableError(f"{reserved!r} stands where a command should")

    def _subshell(self) -> Group:
        if self.text.startswith("((", self.at):
            raise UnreadableError("((...)) means different things to different shells")
        self._take()
        script = self.script()
        self._expect(")")
        return Group("subshell", (script,))

    def _if(self) -> Group:
        scripts: list[Script] = []
        word = self._keyword("if")
        while word in ("if", "elif"):
            scripts.append(self.script())
            self._keyword("then")
            scripts.append(self.script())
            word = self._keyword("elif", "else", "fi")
        if word == "else":
            scripts.append(self.script())
            self._keyword("fi")
        return Group("branch", tuple(scripts))

    def _do(self) -> Script:
        self._keyword("do")
        script = self.script()
        self._keyword("done")
        return script

    def _for(self, keyword: str) -> Group:
        self._keyword(keyword)
        name = self.word()
        if name is None or not re.fullmatch(r"[A-Za-z_]\w*", name.raw, re.ASCII):
            raise UnreadableError("a loop without a plain variable name")
        self._newlines()
        words: list[Word] = []
        if re.compile(r"in(?=[\s;])").match(self.text, self.at):
            self.at += 2
            while (word := self.word()) is not None:
                words.append(word)
        if self.operator() in (";", "\n"):
            self._take()
        self._newlines()
        return Group("loop", (self._do(),), words=tuple(words), name=name.raw)

    def _case(self) -> Group:
        self._keyword("case")
        words = [self._required()]
        self._newlines()
        if self._required().raw != "in":
            raise UnreadableError("case without in")
        scripts: list[Script] = []
        self._newlines()
        while self._reserved() != "esac":
            if self.operator() == "(":
                self._take()
            words.append(self._required())
            while self.operator() == "|":
                self._take()
                words.append(self._required())
            self._expect(")")
            scripts.append(self.script())
            if self.operator() in (";;", ";&", ";;&"):
                self._take()
            elif self._reserved() != "esac":
                raise UnreadableError("case without esac")
            self._newlines()
        self._keyword("esac")
        return Group("branch", tuple(scripts), words=tuple(words))

    def _required(self) -> Word:
        word = self.word()
        if word is None:
            raise UnreadableError(f"a word is missing at {self.text[self.at : self.at + 20]!r}")
        return word

    def _function_keyword(self) -> Group:
        self._keyword("function")
        name = self._required()
        if self.operator() == "(":
            self._take()
            self._expect(")")
        return self._function(name)

    def _function(self, name: Word) -> Group:
        if not re.fullmatch(r"[A-Za-z_][\w-]*", name.raw, re.ASCII):
            raise UnreadableError(f"a function with the odd name {name.raw!r}")
        self._newlines()
        body = self._command()
        if isinstance(body, Simple):
            raise UnreadableError("a function without a body")
        return Group("function", ([Chain(((body,),), ())],), name=name.raw)

    def _redirects(self) -> tuple[Redirect, ...]:
        redirects: list[Redirect] = []
        while (redirect := self._redirect()) is not None:
            redirects.append(redirect)
        return tuple(redirects)

    def _redirect(self) -> Redirect | None:
        self.blanks()
        if _ODD_DESCRIPTOR.match(self.text, self.at):
            raise UnreadableError("a file descriptor that shells read differently")
        start = self.at
        if _DESCRIPTOR.match(self.text, self.at) and not self.text.startswith("(", self.at + 2):
            self.at += 1
        if self.operator() not in REDIRECTS:
            self.at = start
            return None
        operator = self._take()
        redirect = Redirect(operator, self._required())
        if operator in ("<<", "<<-"):
            delimiter = redirect.target.literal
            if delimiter is None or "\n" in delimiter:
                raise UnreadableError("a here-document with a computed end")
            self._pending.append((delimiter, redirect))
        return redirect

    def _simple(self) -> Simple | Group:
        assignments: list[Assignment] = []
        words: list[Word] = []
        redirects: list[Redirect] = []
        while True:
            redirect = self._redirect()
            if redirect is not None:
                redirects.append(redirect)
                continue
            word = self.word()
            if word is None:
                break
            if any(one.operator in ("&>", "&>>") for one in redirects):
                raise UnreadableError("words after &> are another command to some shells")
            if not words and (assignment := _assignment(word)):
                assignments.append(assignment)
                continue
            words.append(word)
            if len(words) == 1 and not assignments and not redirects and self.operator() == "(":
                self._take()
                self._expect(")")
                group = self._function(word)
                self.found.append(group)
                return group
        if not (assignments or words or redirects):
            raise UnreadableError(f"a command is missing at {self.text[self.at : self.at + 20]!r}")
        simple = Simple(tuple(assignments), tuple(words), tuple(redirects))
        self.found.append(simple)
        return simple


def _assignment(word: Word) -> Assignment | None:
    first = word.parts[0]
    if first.quoted or first.text is None:
        return None
    if _SUBSCRIPT.match(first.text) and "=" in word.raw:
        raise UnreadableError("an array element is assigned")
    found = _ASSIGNMENT.match(first.text)
    if found is None:
        return None
    rest = type(first)(first.text[found.end() :])
    return Assignment(found.group(1), Word(word.raw[found.end() :], (rest, *word.parts[1:])))
