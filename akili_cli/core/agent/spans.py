"""What a trace is told of a run and its model calls, in the words of the GenAI conventions: names and numbers."""

from __future__ import annotations

from akili_cli.domain.calls import Run
from akili_cli.domain.messages import Completion, Model, ModelRequest
from akili_cli.domain.ports import Attributes


def run_span(run: Run) -> Attributes:
    """Tell whose run it is."""
    return {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": run.principal.agent or "akili",
        "akili.correlation_id": run.correlation_id,
        "akili.run_id": run.id,
        "enduser.id": run.principal.user,
        "akili.source": str(run.principal.source),
    }


def request_span(model: Model, request: ModelRequest) -> Attributes:
    """Tell who is asked, before the answer."""
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": model.provider,
        "gen_ai.system": model.provider,
        "gen_ai.request.model": model.model,
        "gen_ai.request.max_tokens": request.max_tokens,
    }


def answer_span(done: Completion) -> Attributes:
    """Tell who answered and what it took."""
    return {
        "gen_ai.provider.name": done.provider,
        "gen_ai.response.model": done.model,
        "gen_ai.response.finish_reasons": done.stop_reason,
        "gen_ai.usage.input_tokens": done.usage.input_tokens,
        "gen_ai.usage.output_tokens": done.usage.output_tokens,
        "akili.attempts": max(len(done.attempts), 1),
    }
