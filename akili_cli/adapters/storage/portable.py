"""What both drivers share: the rewriting of portable SQL, the values it may carry, one unit of work."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import lru_cache

from akili_cli.adapters.storage.base import Params, Row
from akili_cli.domain.errors import AkiliError, StorageError

SKIP_LOCKED = "FOR UPDATE SKIP LOCKED"
MAX_SEARCH_WORDS = 64
MAX_SEARCH_WORD_CHARS = 64

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
    """,
    re.VERBOSE | re.DOTALL,
)
_TRANSACTION_WORDS = frozenset(
    ("abort", "begin", "commit", "end", "prepare", "release", "rollback", "savepoint", "start")
)
_FIRST_WORD = re.compile(r"(?:\s|;|--[^\n]*\n|/\*.*?\*/)*([A-Za-z]+)", re.DOTALL)


@lru_cache(maxsize=1024)
def sqlite_sql(sql: str) -> str:
    """Give the SQLite form of a portable statement; refuses one that would end the unit of work."""
    _refuse_transaction_words(sql)
    return _TOKENS.sub(lambda token: "" if token["skip"] else token[0], sql)


@lru_cache(maxsize=1024)
def postgres_sql(sql: str) -> str:
    """Give the psycopg form: ``:name`` becomes ``%(name)s``, ``%`` is doubled, ``{skip}`` is filled in.

    Casts, strings, quoted names and comments keep their colons and braces.
    """
    _refuse_transaction_words(sql)

    def form(token: re.Match[str]) -> str:
        if token["name"]:
            return f"%({token['name']})s"
        if token["skip"]:
            return SKIP_LOCKED
        return token[0].replace("%", "%%")

    return _TOKENS.sub(form, sql)


def _refuse_transaction_words(sql: str) -> None:
    first = _FIRST_WORD.match(sql)
    if first and first[1].lower() in _TRANSACTION_WORDS:
        raise StorageError(f"{first[1].upper()} is not a store's business: the driver owns the transaction")


def bind(params: Params | None) -> dict[str, object]:
    """Give parameters as values that mean the same to both drivers; raises ``StorageError`` for others.

    Booleans become 0 and 1, enums their value. PostgreSQL text cannot hold NUL and neither database can hold
    half a surrogate pair: both become U+FFFD, so that hostile text is stored rather than failing a record.
    """
    return {name: _plain(name, value) for name, value in params.items()} if params else {}


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


def search_words(words: str) -> tuple[str, ...]:
    """Give the words of a query as plain, distinct, lower-case tokens; operators and symbols are dropped."""
    found = re.findall(r"[^\W_]+", storable_text(words[:10_000]).lower())
    return tuple(dict.fromkeys(word[:MAX_SEARCH_WORD_CHARS] for word in found))[:MAX_SEARCH_WORDS]


Statement = Callable[[str, dict[str, object]], tuple[list[Row], int]]


class UnitOfWork:
    """The ``Connection`` one function gets, with the same rules on both drivers.

    After a failed statement nothing more can be done in it, as PostgreSQL demands; it cannot be used after
    its function returned.
    """

    def __init__(self, run: Statement) -> None:
        """Take the driver's way to run one statement; it raises translated errors."""
        self._run = run
        self._failure: AkiliError | None = None
        self._over = False

    def execute(self, sql: str, params: Params | None = None) -> list[Row]:
        """Run one statement and give its rows."""
        return self._statement(sql, params)[0]

    def changed(self, sql: str, params: Params | None = None) -> int:
        """Run one statement and give the number of rows it changed."""
        return self._statement(sql, params)[1]

    def finish(self) -> None:
        """End the work; raises the failure of a statement that the function swallowed."""
        self._over = True
        if self._failure is not None:
            raise self._failure

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
