"""Lists in pages, and items that say which version they are: cursors, links, ``ETag`` and what is asked of it."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar
from urllib.parse import parse_qsl, urlencode

from fastapi import Header, Query, Request
from fastapi.responses import JSONResponse
from starlette.responses import Response

from akili_cli.domain.calls import canonical_json
from akili_cli.domain.errors import InvalidBodyError, PreconditionError

DEFAULT_LIMIT, MAX_LIMIT = 50, 200
MAX_CURSOR_CHARS = 400
PAGE_HEADERS: dict[str, Any] = {
    "Link": {"description": 'the next page, with rel="next"; absent on the last', "schema": {"type": "string"}},
    "X-Next-Cursor": {"description": "the cursor of the next page", "schema": {"type": "string"}},
}
"""Documents what a page's answer carries."""

ETAG_HEADER: dict[str, Any] = {"ETag": {"description": "this version of it", "schema": {"type": "string"}}}
IfMatch = Annotated[
    str | None, Header(alias="If-Match", max_length=4000, description="change it only if this is its ETag still")
]
IfNoneMatch = Annotated[
    str | None, Header(alias="If-None-Match", max_length=4000, description="send it only if this is not its ETag")
]
"""What the documentation says of these headers; ``expected`` and ``item`` read them."""

_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e]*"')
T = TypeVar("T")
Place = tuple[float, str]
"""Where a row stands in a list: its time and its id."""


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is asked for: at most ``limit`` rows after ``before``. Ask for one more than ``limit``."""

    request: Request
    limit: int
    before: Place | None

    def answer(
        self, found: Sequence[T], place: Callable[[T], Place], line: Callable[[T], Mapping[str, object]]
    ) -> Response:
        """Give the rows as an array; if there was one more than ``limit``, also where the next page begins."""
        rows = found[: self.limit]
        headers = {}
        if len(found) > self.limit:
            cursor = cursor_of(place(rows[-1]))
            asked = [(key, value) for key, value in parse_qsl(self.request.url.query) if key != "cursor"]
            query = urlencode([*asked, ("cursor", cursor)])
            headers = {"Link": f'<{self.request.url.path}?{query}>; rel="next"', "X-Next-Cursor": cursor}
        return JSONResponse([line(row) for row in rows], headers=headers)


def page_of(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT, description="at most so many")] = DEFAULT_LIMIT,
    cursor: Annotated[
        str | None,
        Query(
            min_length=1,
            max_length=MAX_CURSOR_CHARS,
            pattern=r"^[A-Za-z0-9_-]+$",
            description="what `X-Next-Cursor` of the page before said",
        ),
    ] = None,
) -> Page:
    """Read which page is asked for; raises ``InvalidBodyError`` for a cursor that no page gave."""
    return Page(request, limit, None if cursor is None else _place(cursor))


def cursor_of(place: Place) -> str:
    """Write a place as a cursor."""
    return base64.urlsafe_b64encode(json.dumps(place).encode()).rstrip(b"=").decode()


def _place(cursor: str) -> Place:
    try:
        told = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, RecursionError):
        told = None
    match told:
        case [int() | float() as at, str() as row_id] if math.isfinite(at) and "\x00" not in row_id:
            return float(at), row_id
    raise InvalidBodyError(
        "the cursor is none of this list", hint="begin again without one", fields=(("cursor", "no page gave it"),)
    )


def etag_of(item: Mapping[str, object]) -> str:
    """Give the strong validator of an item: two items have the same one only if they are the same JSON."""
    return f'"{hashlib.sha256(canonical_json(item).encode()).hexdigest()[:32]}"'


def item(request: Request, shown: Mapping[str, object], status: int = 200) -> Response:
    """Answer with one item and its ``ETag``; with 304 to a GET that knows this very version already."""
    tag = etag_of(shown)
    known = request.headers.getlist("if-none-match")
    if request.method in ("GET", "HEAD") and known and _matches(known, tag, weak=True):
        return Response(status_code=304, headers={"ETag": tag})
    return JSONResponse(shown, status, headers={"ETag": tag})


def expected(request: Request, shown: Callable[[T], Mapping[str, object]]) -> Callable[[T], None]:
    """Give what compares an item, as it is when it is changed, with the request's ``If-Match``.

    It raises ``PreconditionError`` when none of the versions named there is the item's; without the header anything
    goes.
    """
    wanted = request.headers.getlist("if-match")

    def look(found: T) -> None:
        if wanted and not _matches(wanted, etag_of(shown(found)), weak=False):
            raise PreconditionError(
                "it was changed meanwhile, and was left as it is", hint="get it again, and send the ETag it has then"
            )

    return look


def _matches(headers: Sequence[str], tag: str, *, weak: bool) -> bool:
    """Tell whether a header's list names a tag (or is ``*``); a weak one counts only where that is allowed."""
    text = ", ".join(headers).strip()
    if text == "*":
        return True
    return any(one == tag or (weak and one == f"W/{tag}") for one in _TAG.findall(text))
