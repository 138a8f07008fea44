"""Reads the words of a shell line, with the meaning that dash and bash agree on; anything else is refused."""

from __future__ import annotations

import re

from akili_cli.core.tools.shell.syntax import Part, Script, UnreadableError, Word

MAX_DEPTH = 24
OPERATORS = (
    "<<<",
    "<<-",
    "&>>",
    ";;&",
    "&&",
    "||",
    ";;",
    ";&",
    "|&",
    "&>",
    "<<",
    ">>",
    "<&",
    ">&",
    "<>",
    ">|",
    "<",
    ">",
    "(",
    ")",
    "|",
    "&",
    ";",
    "\n",
)
_PLAIN = re.compile(r"[^\s|&;()<>'\"\\`$]+")
_QUOTED = re.compile(r"[^\"\\`$]+")
_PARAMETER = re.compile(r"\$(?:[A-Za-z_]\w*|[0-9@*#?$!-])", re.ASCII)
_BRACED = re.compile(r"\$\{(?:[A-Za-z_]\w*|[0-9]+|[@*#?$!-]|#[A-Za-z_]\w*)\}", re.ASCII)
_BRACED_OPERATOR = re.compile(r"\$\{[A-Za-z_0-9]\w*(?::?[-+?]|%%?|##?)", re.ASCII)
_BRACED_TEXT = re.compile(r"[^'\"\\`${}()<>|&;\n]+")
_ARITHMETIC = re.compile(r"\$(?:\{[A-Za-z_]\w*\}|[A-Za-z_]\w*|[?#])|[\w\s+\-*/%<>=!&|^~?:,]", re.ASCII)
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)


class Lexer:
    """A cursor over one text. The grammar on top of it supplies ``script``."""

    def __init__(self, text: str, depth: int = 0) -> None:
        """Start at the beginning; ``depth`` counts the nesting around this text."""
        self.text = text
        self.at = 0
        self.depth = depth
        self.arithmetic: set[str] = set()

    def script(self) -> Script:
        """Read commands up to a closing token."""
        raise NotImplementedError

    def nested(self, text: str) -> Script:
        """Read a text of its own (the inside of backquotes)."""
        raise NotImplementedError

    def here_documents_pending(self) -> int:
        """Count here-documents whose body is still to come."""
        raise NotImplementedError

    def blanks(self) -> None:
        """Skip blanks, line continuations and comments, up to the next token."""
        while self.at < len(self.text):
            char = self.text[self.at]
            if char in " \t":
                self.at += 1
            elif char == "\\" and self.text.startswith("\\\n", self.at):
                self._continuation()
            elif char == "#":
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
            else:
                return

    def operator(self) -> str:
        """Give the operator at the cursor without taking it, or nothing."""
        self.blanks()
        if self.text.startswith(("<(", ">("), self.at):
            return ""
        return next((op for op in OPERATORS if self.text.startswith(op, self.at)), "")

    def word(self) -> Word | None:
        """Take the word at the cursor, if there is one."""
        self.blanks()
        start, pending = self.at, self.here_documents_pending()
        parts: list[Part] = []
        while self.at < len(self.text):
            part = self._part()
            if part is None:
                break
            parts.append(part)
        raw = self.text[start : self.at]
        if pending and "\n" in raw:
            raise UnreadableError("a here-document starts before a word of several lines")
        return Word(raw, tuple(parts)) if raw else None

    def _part(self) -> Part | None:  # noqa: PLR0911 - one return a kind of part
        char = self.text[self.at]
        match char:
            case "'":
                return self._single()
            case '"':
                return self._double()
            case "\\":
                return self._escape()
            case "`":
                return self._backquotes(quoted=False)
            case "$":
                return self._dollar(quoted=False)
            case "<" | ">" if self.text.startswith("(", self.at + 1):
                self.at += 2
                return Part(None, scripts=(self._until_parenthesis(),))
        found = _PLAIN.match(self.text, self.at)
        if found is None:
            if char not in " \t\n|&;()<>":  # other white space is an ordinary character to a shell
                self.at += 1
                return Part(char)
            return None
        self.at = found.end()
        return Part(found.group())

    def _continuation(self) -> None:
        if self.at and self.text[self.at - 1] not in " \t\n":
            raise UnreadableError("a line continuation inside a word")
        self.at += 2

    def _single(self) -> Part:
        end = self.text.find("'", self.at + 1)
        if end < 0:
            raise UnreadableError("a single quote is not closed")
        text = self.text[self.at + 1 : end]
        self.at = end + 1
        return Part(text, quoted=True)

    def _escape(self) -> Part:
        if self.at + 1 >= len(self.text):
            raise UnreadableError("a backslash at the end")
        if self.text[self.at + 1] == "\n":
            raise UnreadableError("a line continuation inside a word")
        self.at += 2
        return Part(self.text[self.at - 1], quoted=True)

    def _double(self) -> Part:
        self.at += 1
        parts = self.expanded('"')
        if not self.text.startswith('"', self.at):
            raise UnreadableError("a double quote is not closed")
        self.at += 1
        scripts = tuple(script for part in parts for script in part.scripts)
        known = all(part.text is not None for part in parts)
        return Part("".join(part.text or "" for part in parts) if known else None, True, scripts)

    def expanded(self, end: str) -> list[Part]:
        """Read text that expands as inside double quotes, up to ``end`` (or the end of the text)."""
        parts: list[Part] = []
        while self.at < len(self.text) and not (end and self.text.startswith(end, self.at)):
            char = self.text[self.at]
            if char == "\\":
                parts.append(self._escape_in_quotes())
            elif char == "`":
                parts.append(self._backquotes(quoted=True))
            elif char == "$":
                parts.append(self._dollar(quoted=True))
            else:
                found = _QUOTED.match(self.text, self.at)
                stop = found.end() if found else self.at + 1
                parts.append(Part(self.text[self.at : stop], quoted=True))
                self.at = stop
        return parts

    def _escape_in_quotes(self) -> Part:
        following = self.text[self.at + 1 : self.at + 2]
        if following == "\n":
            self._continuation()
            return Part("", quoted=True)
        self.at += 2
        return Part(following if following in '$`"\\' else "\\" + following, quoted=True)

    def _backquotes(self, *, quoted: bool) -> Part:
        end = self.at + 1
        while end < len(self.text) and self.text[end] != "`":
            end += 2 if self.text[end] == "\\" else 1
        if end >= len(self.text):
            raise UnreadableError("a backquote is not closed")
        inside = self.text[self.at + 1 : end]
        if quoted and '\\"' in inside:
            raise UnreadableError("an escaped quote inside quoted backquotes")
        self.at = end + 1
        return Part(None, quoted, (self.nested(re.sub(r"\\([\\`$])", r"\1", inside)),))

    def _dollar(self, *, quoted: bool) -> Part:
        following = self.text[self.at + 1 : self.at + 2]
        if following in "'\"" and following and not quoted:
            return self._dollar_quote(following)
        if self.text.startswith("$((", self.at):
            return self._arithmetic_expansion(quoted)
        if following == "(":
            self.at += 2
            return Part(None, quoted, (self._until_parenthesis(),))
        if following == "{":
            return self._braced(quoted)
        if following == "[":
            raise UnreadableError("$[...] means different things to different shells")
        if following == "\\" and self.text.startswith("\n", self.at + 2):
            raise UnreadableError("a line continuation inside a word")
        found = _PARAMETER.match(self.text, self.at)
        self.at = found.end() if found else self.at + 1
        return Part(None if found else "$", quoted)

    def _dollar_quote(self, quote: str) -> Part:
        self.at += 1
        if quote == '"':
            return Part(None, True, self._double().scripts)
        text = self._single().text or ""
        if text.endswith("\\"):
            raise UnreadableError("$'...' ends at different places in different shells")
        return Part(None, quoted=True)

    def _until_parenthesis(self) -> Script:
        pending = self.here_documents_pending()
        with_depth = self.deeper()
        script = self.script()
        self.depth = with_depth - 1
        if self.here_documents_pending() > pending:
            raise UnreadableError("a here-document has no body inside its substitution")
        if self.operator() != ")":
            raise UnreadableError("a parenthesis is not closed")
        self.at += 1
        return script

    def deeper(self) -> int:
        """Go one level in; refuse what is nested too deep to be honest."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise UnreadableError("nested too deep")
        return self.depth

    def _braced(self, quoted: bool) -> Part:
        if found := _BRACED.match(self.text, self.at):
            self.at = found.end()
            return Part(None, quoted)
        found = _BRACED_OPERATOR.match(self.text, self.at)
        if found is None:
            raise UnreadableError(f"cannot read the expansion {self.text[self.at : self.at + 20]!r}")
        self.at = found.end()
        scripts: list[Script] = []
        depth = self.deeper()
        while not self.text.startswith("}", self.at):
            if self.text.startswith("$", self.at):
                scripts += self._dollar(quoted=True).scripts
            elif self.text.startswith("`", self.at):
                scripts += self._backquotes(quoted=quoted).scripts
            elif plain := _BRACED_TEXT.match(self.text, self.at):
                self.at = plain.end()
            else:
                raise UnreadableError("cannot read the word inside ${...}")
        self.depth = depth - 1
        self.at += 1
        return Part(None, quoted, tuple(scripts))

    def _arithmetic_expansion(self, quoted: bool) -> Part:
        start = self.at
        self.at += 3
        level = 0
        while level or not self.text.startswith("))", self.at):
            if self.text.startswith(("(", ")"), self.at):
                level += 1 if self.text[self.at] == "(" else -1
                self.at += 1
            elif found := _ARITHMETIC.match(self.text, self.at):
                self.at = found.end()
            else:
                level = -1
            if level < 0:
                raise UnreadableError("arithmetic that could hold a command")
        self.arithmetic |= set(_NAME.findall(self.text[start : self.at]))
        self.at += 2
        return Part(None, quoted, arithmetic=True)
