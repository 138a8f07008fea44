"""``/v1/cronjobs``: recurring goals of one's own, when they run, and what came of it."""

from __future__ import annotations

import itertools
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse
from starlette.responses import Response

from akili_cli.core.schedule.cron_expr import parse_cron
from akili_cli.domain.clock import iso
from akili_cli.domain.errors import NotFoundError
from akili_cli.features.cron.model import KIND
from akili_cli.gateways.http.auth import Caller, caller
from akili_cli.gateways.http.desk import desk_of
from akili_cli.gateways.http.documented import problems
from akili_cli.gateways.http.idempotency import REPLAYED_HEADER, IdempotencyKey
from akili_cli.gateways.http.pages import ETAG_HEADER, PAGE_HEADERS, IfMatch, IfNoneMatch, Page, expected, item, page_of
from akili_cli.gateways.http.shapes.cronjobs import (
    CronJobChange,
    CronJobItem,
    CronRun,
    NewCronJob,
    NextRuns,
    Triggered,
    job_item,
    run_line,
    triggered,
)
from akili_cli.gateways.http.shapes.fields import Deleted, ItemId

Who = Annotated[Caller, Depends(caller)]
Paged = Annotated[Page, Depends(page_of)]
Name = Annotated[str | None, Query(min_length=1, max_length=200, description="only the one of this name")]


def switched_on(request: Request) -> None:
    """Raise ``NotFoundError`` where no cron job would run."""
    if KIND not in desk_of(request).kinds:
        raise NotFoundError("cron jobs are switched off here", hint="set scheduler.enabled: true")


router = APIRouter(prefix="/v1/cronjobs", tags=["cron jobs"], dependencies=[Depends(switched_on)])


@router.post(
    "",
    operation_id="create_cronjob",
    summary="Make a job; it runs as the caller",
    status_code=201,
    response_model=CronJobItem,
    responses={201: {"headers": ETAG_HEADER | REPLAYED_HEADER}, **problems(400, 403, 404, 409)},
)
async def create(request: Request, body: NewCronJob, who: Who, key: IdempotencyKey = None) -> Response:
    """Make it, once."""
    desk = desk_of(request)

    async def act() -> Response:
        job = await desk.cron.add(body.draft(), who.principal)
        answer = item(request, job_item(job), 201)
        answer.headers["Location"] = f"/v1/cronjobs/{job.id}"
        return answer

    return await desk.replays.once(request, who, key, body.model_dump(mode="json"), act)


@router.get(
    "",
    operation_id="list_cronjobs",
    summary="List the jobs of one's own, newest first; an admin sees everybody's",
    response_model=list[CronJobItem],
    responses={200: {"headers": PAGE_HEADERS}, **problems(400, 404)},
)
async def jobs(request: Request, who: Who, page: Paged, name: Name = None) -> Response:
    """Give a page."""
    reader = desk_of(request).cron.mine(who.principal)
    found = await reader.page(name=name, before=page.before, limit=page.limit + 1)
    return page.answer(found, lambda job: (job.created_at, job.id), job_item)


@router.get(
    "/{job_id}",
    operation_id="get_cronjob",
    summary="Give one job",
    response_model=CronJobItem,
    responses={200: {"headers": ETAG_HEADER}, 304: {"description": "not changed"}, **problems(400, 404)},
)
async def job(request: Request, job_id: ItemId, who: Who, _known: IfNoneMatch = None) -> Response:
    """Give it."""
    return item(request, job_item(await desk_of(request).cron.mine(who.principal).by_id(job_id)))


@router.put(
    "/{job_id}",
    operation_id="change_cronjob",
    summary="Change a job: what is not named stays; it keeps running as whoever made it",
    response_model=CronJobItem,
    responses={200: {"headers": ETAG_HEADER}, **problems(400, 403, 404, 409, 412)},
)
async def change(request: Request, job_id: ItemId, body: CronJobChange, who: Who, _version: IfMatch = None) -> Response:
    """Change it."""
    cron = desk_of(request).cron
    changed = await cron.edit(job_id, body.changes(), who.principal, expects=expected(request, job_item))
    return item(request, job_item(changed))


@router.delete(
    "/{job_id}",
    operation_id="delete_cronjob",
    summary="Forget a job; its runs stay on record",
    response_model=Deleted,
    responses=problems(400, 403, 404, 412),
)
async def delete(request: Request, job_id: ItemId, who: Who, _version: IfMatch = None) -> Deleted:
    """Forget it."""
    await desk_of(request).cron.remove(job_id, who.principal, expects=expected(request, job_item))
    return Deleted()


@router.post(
    "/{job_id}/trigger",
    operation_id="trigger_cronjob",
    summary="Run a job now, as the caller and within the job's limits",
    status_code=202,
    response_model=Triggered,
    responses={202: {"headers": REPLAYED_HEADER}, **problems(400, 403, 404, 409)},
)
async def trigger(request: Request, job_id: ItemId, who: Who, key: IdempotencyKey = None) -> Response:
    """Begin to run it, once."""
    desk = desk_of(request)

    async def act() -> Response:
        due = await desk.cron.to_trigger(job_id, who.principal)
        return JSONResponse(triggered(await desk.trigger(due, KIND, who.principal.user)), 202)

    return await desk.replays.once(request, who, key, {}, act)


@router.get(
    "/{job_id}/history",
    operation_id="list_cronjob_runs",
    summary="List the runs of a job, newest first",
    response_model=list[CronRun],
    responses={200: {"headers": PAGE_HEADERS}, **problems(400, 404)},
)
async def history(request: Request, job_id: ItemId, who: Who, page: Paged) -> Response:
    """Give a page."""
    reader = desk_of(request).cron.mine(who.principal)
    found = await reader.runs(job_id, before=page.before, limit=page.limit + 1)
    return page.answer(found, lambda one: (one.fire.fire_at, one.fire.id), run_line)


@router.get(
    "/{job_id}/next",
    operation_id="next_cronjob_runs",
    summary="Say when a job runs next",
    response_model=NextRuns,
    responses=problems(400, 404),
)
async def coming(
    request: Request, job_id: ItemId, who: Who, n: Annotated[int, Query(ge=1, le=100, description="how many")] = 5
) -> NextRuns:
    """Give the next times."""
    desk = desk_of(request)
    expr = parse_cron((await desk.cron.mine(who.principal).by_id(job_id)).cron_expression)
    times = [iso(at) for at in itertools.islice(expr.after(desk.clock.now()), n)]
    return NextRuns(cron_expression=expr.text, timezone=expr.zone.key, next=times)
