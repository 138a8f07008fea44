"""What both drivers share: the rewriting of portable SQL, the values it may carry, one unit of work."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TypeVar

from akili_cli.adapters.storage.base import Connection, Params, Row
from akili_cli.domain.errors import AkiliError, StorageError

T = TypeVar("T")

SKIP_LOCKED = "FOR UPDATE SKIP LOCKED"
MAX_SEARCH_WORDS = 64
MAX_SEARCH_WORD_CHARS = 64

_STOP_WORDS = frozenset(
    re.findall(
        r"\w+",
        "a about all am an and any are as at be been but by can could did do does for from had has have how i if in"
        " into is it its just me my no not of on or our s so some t than that the their them then there these they"
        " this to up us was we were what when where which who why will with would you your",
    )
)
_INT64 = 2**63
_TOKENS = re.compile(
    r"""
    (?P<verbatim>
        (?<![\w$])[eE]'(?:[^'\\]|\\.|'')*'            # a string with backslash escapes
      | '(?:[^']|'')*' | "(?:[^"]|"")*"               # strings and quoted names
      | \$(?P<tag>[A-Za-z_]*)\$.*?\$(?P=tag)\$        # a dollar-quoted string
      | --[^\n]* | /\*.*?\*/                          # comments
      | ::
    )
  | (?<![\w:]):(?P<name>[A-Za-z_]\w*)
  | (?P<skip>\{skip\})
  | (?P<percent>%)
  | (?P<end>;)
    """,
    re.VERBOSE | re.DOTALL,
)
_TRANSACTION_WORDS = frozenset(
    ("abort", "begin", "commit", "end", "prepare", "release", "rollback", "savepoint", "start")
)
_NOTHING = re.compile(r"(?:\s|;|--[^\n]*(?:\n|$)|/\*.*?\*/)*", re.DOTALL)
_FIRST_WORD = re.compile(r"(?:\s|;|--[^\n]*\n|/\*.*?\*/)*([A-Za-z]+)", re.DOTALL)


@lru_cache(maxsize=1024)
def sqlite_sql(sql: str) -> str:
    """Give the SQLite form of a portable statement; refuses one that would end the unit of work."""
    _refuse_escapes(sql)
    return _TOKENS.sub(lambda token: "" if token["skip"] else token[0], sql)


@lru_cache(maxsize=1024)
def postgres_sql(sql: str) -> str:
    """Give the psycopg form: ``:name`` becomes ``%(name)s``, ``%`` is doubled, ``{skip}`` is filled in.

    Casts, strings, quoted names and comments keep their colons and braces.
    """
    _refuse_escapes(sql)

    def form(token: re.Match[str]) -> str:
        if token["name"]:
            return f"%({token['name']})s"
        if token["skip"]:
            return SKIP_LOCKED
        return token[0].replace("%", "%%")

    return _TOKENS.sub(form, sql)


def _refuse_escapes(sql: str) -> None:
    """Refuse what would leave the unit of work: a transaction word, or a second statement behind the first."""
    first = _FIRST_WORD.match(sql)
    if first and first[1].lower() in _TRANSACTION_WORDS:
        raise StorageError(f"{first[1].upper()} is not a store's business: the driver owns the transaction")
    end = next((token.end() for token in _TOKENS.finditer(sql) if token["end"]), len(sql))
    if not _NOTHING.fullmatch(sql, end):
        raise StorageError("one statement at a time")


def bind(params: Params | None) -> dict[str, object]:
    """Give parameters as values that mean the same to both drivers; raises ``StorageError`` for others.

    Booleans become 0 and 1, enums their value. PostgreSQL text cannot hold NUL and neither database can hold
    half a surrogate pair: both become U+FFFD, so that hostile text is stored rather than failing a record.
    """
    if not params:
        return {}
    return {  # most values are plain texts, and every record of the audit has many
        name: value if type(value) is str and value.isascii() and "\0" not in value else _plain(name, value)
        for name, value in params.items()
    }


def _plain(name: str, value: object) -> object:
    if value is None or isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return storable_text(value)
    if isinstance(value, int) and -_INT64 <= value < _INT64:
        return int(value)
    if isinstance(value, float) and not math.isnan(value):
        return float(value)
    raise StorageError(f"the value for {name!r} cannot be stored: {type(value).__name__}")


def storable_text(text: str) -> str:
    """Give a text without NUL and lone surrogates."""
    plain = str.__str__(text)
    if plain.isascii():
        return plain if "\0" not in plain else plain.replace("\0", "\ufffd")
    return re.sub("[\0\ud800-\udfff]", "\ufffd", plain)


def value_lists(names: Sequence[str], rows: Sequence[Row]) -> tuple[str, dict[str, object]]:
    """Write columns of rows as the lists that follow VALUES, and their parameters."""
    params: dict[str, object] = {}
    lists = []
    for number, row in enumerate(rows):
        marks = [f"r{number}c{column}" for column in range(len(names))]
        params.update(zip(marks, (row[name] for name in names), strict=True))
        lists.append(f"(:{', :'.join(marks)})")
    return ", ".join(lists), params


def search_words(words: str) -> tuple[str, ...]:
    """Give the words of a query as plain, distinct, lower-case tokens.

    Operators and symbols are dropped, and so are the English words that stand in every text.
    """
    found = re.findall(r"[^\W_]+", storable_text(words[:10_000]).lower())
    kept = dict.fromkeys(word[:MAX_SEARCH_WORD_CHARS] for word in found if word not in _STOP_WORDS)
    return tuple(kept)[:MAX_SEARCH_WORDS]


Statement = Callable[[str, dict[str, object]], tuple[list[Row], int]]


class UnitOfWork:
    """The ``Connection`` one function gets, with the same rules on both drivers.

    After a failed statement nothing more can be done in it, as PostgreSQL demands; it cannot be used after
    its function returned.
    """

    def __init__(self, run: Statement, join: str) -> None:
        """Take the driver's way to run one statement, which raises translated errors, and its joining expression."""
        self._run = run
        self._join = join
        self._failure: AkiliError | None = None
        self._over = False

    def execute(self, sql: str, params: Params | None = None) -> list[Row]:
        """Run one statement and give its rows."""
        return self._statement(sql, params)[0]

    def changed(self, sql: str, params: Params | None = None) -> int:
        """Run one statement and give the number of rows it changed."""
        return self._statement(sql, params)[1]

    def joined(self, sql: str, params: Params | None = None) -> str:
        """Run a query of one text column ``line`` and give its rows joined by newlines."""
        rows = self.execute(f"SELECT {self._join} AS joined FROM ({sql}) AS lines", params)  # noqa: S608 - a store's own
        return str(rows[0]["joined"] or "")

    def call(self, fn: Callable[[Connection], T]) -> T:
        """Run a function to its value; a failed statement that it swallowed is raised all the same."""
        try:
            value = fn(self)
        except StopIteration as error:  # a future cannot carry one: whoever waits for it would hang
            raise RuntimeError("the function raised StopIteration") from error
        finally:
            self._over = True
        if self._failure is not None:
            raise self._failure
        return value

    def _statement(self, sql: str, params: Params | None) -> tuple[list[Row], int]:
        if self._over:
            raise StorageError("a database connection was used after its function returned")
        if self._failure is not None:
            raise StorageError("an earlier statement of this transaction failed, so it cannot go on")
        try:
            return self._run(sql, bind(params))
        except AkiliError as error:
            self._failure = error
            raise
