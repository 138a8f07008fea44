"""``/v1/workflows``: kept free for workflows, which this version does not have."""

from __future__ import annotations

from typing import Annotated, NoReturn

from fastapi import APIRouter, Depends

from akili_cli.domain.errors import NotAvailableError
from akili_cli.gateways.http.auth import Caller, caller
from akili_cli.gateways.http.documented import problems

router = APIRouter(prefix="/v1/workflows", tags=["workflows"], responses=problems(501))
Who = Annotated[Caller, Depends(caller)]


def _refuse() -> NoReturn:
    raise NotAvailableError(
        "this version has no workflows", hint="ask with POST /v1/query, or play a runbook: POST /v1/runbooks/{name}/run"
    )


@router.post("", operation_id="submit_workflow", summary="Not available yet", status_code=501)
async def submit(_who: Who) -> None:
    """Refuse."""
    _refuse()


@router.get("/{workflow_id}", operation_id="get_workflow", summary="Not available yet", status_code=501)
async def workflow(workflow_id: str, _who: Who) -> None:  # noqa: ARG001  # its place in the path
    """Refuse."""
    _refuse()


@router.post("/{workflow_id}/cancel", operation_id="cancel_workflow", summary="Not available yet", status_code=501)
async def cancel(workflow_id: str, _who: Who) -> None:  # noqa: ARG001  # its place in the path
    """Refuse."""
    _refuse()


@router.get("/{workflow_id}/tasks", operation_id="list_workflow_tasks", summary="Not available yet", status_code=501)
async def tasks(workflow_id: str, _who: Who) -> None:  # noqa: ARG001  # its place in the path
    """Refuse."""
    _refuse()
