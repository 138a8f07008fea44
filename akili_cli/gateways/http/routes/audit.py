"""``/v1/audit``: the record of every action, and the proof that it is whole."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from akili_cli.core.audit.reader import Search
from akili_cli.domain.errors import PolicyDeniedError
from akili_cli.domain.moments import moment
from akili_cli.gateways.http.auth import Caller, caller
from akili_cli.gateways.http.desk import desk_of
from akili_cli.gateways.http.documented import problems
from akili_cli.gateways.http.pages import PAGE_HEADERS, Page, page_of

router = APIRouter(prefix="/v1/audit", tags=["audit"])
Who = Annotated[Caller, Depends(caller)]


class Wanted(BaseModel):
    """What to look for; everything that is given must fit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str | None = Field(None, min_length=1, max_length=1000, description="words anywhere in the record")
    user: str | None = Field(None, max_length=200, description="whose; others' only for an admin")
    tool: str | None = Field(None, max_length=200)
    result: str | None = Field(None, max_length=40, examples=["policy_denied"])
    rule: str | None = Field(None, max_length=200, description="where this rule (its id) decided or matched")
    correlation_id: str | None = Field(None, max_length=64)
    run_id: str | None = Field(None, max_length=200)
    since: str | None = Field(None, max_length=40, description="not before: `30m`, `24h` ago, or an ISO time")
    until: str | None = Field(None, max_length=40, description="before: `30m`, `24h` ago, or an ISO time")
    limit: int = Field(50, description="at most so many")
    cursor: str | None = Field(None, description="what `X-Next-Cursor` of the page before said")


class Nothing(BaseModel):
    """No options."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Found(BaseModel):
    """One thing that is not as it was written."""

    stream: str
    seq: int | None
    what: str


class Verified(BaseModel):
    """What was checked and what was found."""

    ok: bool
    records: int
    streams: int
    problems: list[Found]


@router.get(
    "",
    operation_id="search_audit",
    summary="Search the record, newest first: one's own entries; an admin sees everybody's",
    response_model=list[dict[str, Any]],
    responses={200: {"headers": PAGE_HEADERS}, **problems(400, 403)},
)
async def search(
    request: Request,
    who: Who,
    page: Annotated[Page, Depends(page_of)],
    wanted: Annotated[Wanted, Query()],
) -> Response:
    """Give a page."""
    desk, user, now = desk_of(request), wanted.user, desk_of(request).clock.now()
    if not desk.is_admin(who.principal):
        if user not in (None, who.principal.user):
            raise PolicyDeniedError("only an admin reads what others did", hint="leave user out")
        user = who.principal.user
    terms = wanted.model_dump(exclude={"user", "since", "until", "limit", "cursor"})
    since, until = moment(wanted.since, now), moment(wanted.until, now)
    found = await desk.audit.search(
        Search(**terms, user=user, since=since, until=until, before=page.before), page.limit + 1
    )
    return page.answer(found, lambda one: (one.at, one.id), lambda one: one.as_dict())


@router.post(
    "/verify",
    operation_id="verify_audit",
    summary="Check every record against the keyed chain; for admins, one at a time",
    response_model=Verified,
    responses=problems(403, 429),
)
async def verify(request: Request, who: Who, _options: Nothing | None = None) -> dict[str, object]:
    """Verify rows, files, order and heads, beside everything else that is served."""
    desk = desk_of(request)
    if not desk.is_admin(who.principal):
        raise PolicyDeniedError("only an admin may have the audit verified", hint="or run `akili audit verify`")
    report = await desk.verifier.run()
    problems_ = [{"stream": one.stream, "seq": one.seq, "what": one.what} for one in report.problems]
    return {"ok": report.ok, "records": report.records, "streams": report.streams, "problems": problems_}
