"""The slash commands: one table, each line of it one command with its help."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from akili_cli.adapters.llm.base import estimate_tokens
from akili_cli.cli import render
from akili_cli.cli.card import visible
from akili_cli.cli.repl_export import conversation_markdown, write_new
from akili_cli.cli.repl_session import MODES, Mode, Session
from akili_cli.cli.repl_view import columns, facts_line
from akili_cli.cli.watching import brief
from akili_cli.core.agent.rulings import tell_outcome, tell_refusal
from akili_cli.core.approvals.model import AnswerKind, Approval, ApprovalStatus
from akili_cli.domain.calls import ToolCall
from akili_cli.domain.clock import iso
from akili_cli.domain.decisions import Verdict
from akili_cli.domain.errors import ConflictError, NotFoundError, PolicyDeniedError, UsageError
from akili_cli.domain.messages import Message, ModelRequest
from akili_cli.domain.nearest import nearest

_VERDICT_STYLES = {"allow": "green", "ask": "yellow", "deny": "red"}
_MODE_WORDS: Mapping[Mode, str] = {
    "ask": "mode ask: what policy allows runs, what it asks for is shown to you first",
    "read-only": "mode read-only: whatever changes anything is refused",
    "autonomous": "mode autonomous: no approvals, if your role may; critical calls still ask",
}


@dataclass(frozen=True, slots=True)
class Command:
    """One slash command: its name, how its arguments are written, one line of help, and what it does."""

    name: str
    arguments: str
    help: str
    run: Callable[[Session, str], Awaitable[None]]

    @property
    def usage(self) -> str:
        """The command as it is typed."""
        return f"/{self.name} {self.arguments}".rstrip()


async def dispatch(session: Session, line: str) -> None:
    """Run a line that begins with a slash; raises ``UsageError`` that names the nearest command, and what it raises."""
    name, _, rest = line[1:].partition(" ")
    name, _, more = name.partition("\n")
    command = next((one for one in COMMANDS if one.name == name), None)
    if command is None:
        known = [f"/{one.name}" for one in COMMANDS]
        raise UsageError(
            f"there is no command /{name[:80]}{nearest(f'/{name}', known)}",
            hint="/help lists them; a message that begins with / needs a space before it",
        )
    rest = f"{more} {rest}".strip()
    if rest and not command.arguments:
        raise UsageError(f"/{name} takes nothing after it")
    await command.run(session, rest)


async def _help(_session: Session, _rest: str) -> None:
    width = max(len(one.usage) for one in COMMANDS)
    for one in COMMANDS:
        render.out(f"{one.usage.ljust(width)}  {one.help}")
    render.out("")
    render.out("Anything else is a message. Alt-Enter or a \\ at the end goes on in a new line.")
    render.out("Tab completes; Ctrl-C stops what runs; Ctrl-D, exit and quit leave.")


async def _tools(session: Session, rest: str) -> None:
    box = session.app.pipeline.tools
    if rest:
        tool = box.get(rest)
        render.out(f"{tool.name}: {tool.summary}")
        render.out_fields({"permission": tool.permission, "risk": tool.risk, "only reads": tool.read_only})
        for name, field in tool.Args.model_fields.items():
            needed = "required" if field.is_required() else f"default {field.default!r}"
            render.out(f"  {name} ({needed}) {field.description or ''}".rstrip())
        return
    tools = [box.get(name) for name in box.names()]
    _table(("TOOL", "RISK", "PERMISSION", "WHAT"), [(t.name, t.risk, t.permission, t.summary) for t in tools])


async def _runbooks(session: Session, _rest: str) -> None:
    found = session.app.runbooks.list()
    _table(("RUNBOOK", "STEPS", "WHAT"), [(r.slug, len(r.steps), r.front.description or r.name) for r in found])
    render.talk("/run NAME plays one without a model", "dim")


async def _context(session: Session, _rest: str) -> None:
    messages = await _messages(session)
    tokens = estimate_tokens(ModelRequest("", messages)) if messages else 0
    state = session.app.state
    render.out_fields(
        {
            "conversation": session.conversation or "not begun",
            "messages": len(messages),
            "tokens": f"about {tokens:,} of {session.loop.context_tokens:,}" if session.uses_model else "no model",
            "directory": visible(str(state.start.cwd)),
            "workspace": visible(str(state.workspace.root)),
            "user": f"{visible(session.me.user)} ({session.role})",
            "mode": session.mode,
        }
    )


async def _cost(session: Session, _rest: str) -> None:
    status = await session.app.pipeline.ledger.status(session.me.user)
    spent = "unpriced: the model has no known price" if session.cost_usd is None else f"${session.cost_usd:.4f}"
    render.out_fields(
        {
            "this session": f"{spent}, {session.tokens:,} tokens in {session.runs} runs",
            "today": f"${status.spent_usd:.4f} spent, ${status.reserved_usd:.4f} held",
            "left": f"${status.remaining_usd:.4f} of ${status.limit_usd:.2f}",
        }
    )


async def _policy(session: Session, rest: str) -> None:
    pipeline = session.app.pipeline
    if rest:
        prepared = pipeline.prepare(ToolCall("policy", "shell_exec", {"command": rest}), session.run())
        decision = prepared.decision
        _verdict(decision.verdict, f"risk {decision.risk}; nothing was run")
        for hit in decision.hits:
            _verdict(hit.verdict, f"{hit.rule_id} ({hit.origin}): {hit.because}")
        for reason in decision.risk_reasons:
            render.out(f"risk   {reason}")
        return
    role = session.role
    rules = [
        rule
        for rule in pipeline.rules.rules
        if (not rule.match.roles or role in rule.match.roles)
        and (not rule.match.users or session.me.user in rule.match.users)
    ]
    render.out(f"role {role}, mode {session.mode}: deny beats ask beats allow; what no rule allows is denied")
    ranked = sorted(rules, key=lambda rule: [Verdict.DENY, Verdict.ASK, Verdict.ALLOW].index(rule.verdict))
    _table(("VERDICT", "RULE", "WHY"), [(r.verdict, r.id, r.because) for r in ranked])
    render.talk("/policy COMMAND says what would become of a shell command", "dim")


def _verdict(verdict: str, text: str) -> None:
    word = render.paint(str(verdict).ljust(6), _VERDICT_STYLES[str(verdict)], sys.stdout)
    render.out_painted(f"{word} {visible(text)}")


async def _approvals(session: Session, _rest: str) -> None:
    found = await session.app.approvals.list(ApprovalStatus.PENDING)
    if not found:
        render.talk("nothing waits for approval", "dim")
        return
    _table(
        ("ID", "RISK", "TOOL", "USER", "WHAT"),
        [(a.id[:8], a.risk, a.tool, visible(a.user), brief(a.arguments)) for a in found],
    )
    render.talk("/approve ID shows the whole card and asks", "dim")


async def _approve(session: Session, rest: str) -> None:
    if session.mode == "read-only":
        raise PolicyDeniedError("this session is read-only; nothing was done", hint="/mode ask, then approve it")
    approval = await session.app.approvals.get(_one_word(rest, "/approve ID"))
    if approval.status is not ApprovalStatus.PENDING:
        raise ConflictError(f"approval {approval.id[:8]} is already {approval.status}; nothing was done now")
    answer = await session.asker.ask(approval)
    if answer.kind is AnswerKind.DENY:
        await _refuse(session, approval.id, answer.feedback)
        return
    if answer.kind is AnswerKind.EDIT:
        approval, step = await session.app.pipeline.amend(approval.id, dict(answer.arguments or {}), session.me)
    else:
        approval, step = await session.app.pipeline.resume(approval.id, session.me)
    _told(session, approval, await tell_outcome(session.app.history, approval, step))
    render.talk(f"approved {approval.id[:8]}: {approval.tool}: {step.status}", "dim")
    render.out(step.text)


async def _deny(session: Session, rest: str) -> None:
    approval_id, _, words = rest.partition(" ")
    await _refuse(session, _one_word(approval_id, "/deny ID [words]"), words.strip())


async def _refuse(session: Session, approval_id: str, words: str) -> None:
    approval = await session.app.pipeline.refuse(approval_id, session.me, words)
    _told(session, approval, await tell_refusal(session.app.history, approval))
    render.talk(f"denied {approval.id[:8]}: {approval.tool}; nothing was run")


def _told(session: Session, approval: Approval, problem: str) -> None:
    if problem:
        render.talk(problem, "yellow")
    elif approval.conversation_id is not None and approval.conversation_id == session.conversation:
        render.talk("the conversation knows; say `go on` to go on with it", "dim")


async def _last(session: Session, _rest: str) -> None:
    if session.last is None:
        raise NotFoundError("nothing was asked yet")
    view = session.last
    rows = [
        (str(number), str(step.get("status", "interrupted")), f"{step['tool']} {brief(step['arguments'])}")
        for number, step in enumerate(view.steps, 1)
    ]
    if rows:
        _table(("STEP", "STATUS", "WHAT"), rows)
        render.out("")
    if view.answer.strip():
        render.out_markdown(view.answer)
    if view.report:
        render.talk(facts_line(view.report), "dim")


async def _show(session: Session, rest: str) -> None:
    steps = session.last.steps if session.last is not None else []
    if not rest.isascii() or not rest.isdigit() or not 1 <= int(rest[:6]) <= len(steps):
        known = f"the last run has steps 1 to {len(steps)}" if steps else "the last run has no steps"
        raise UsageError(f"there is no step {rest[:20]!r}; {known}" if rest else f"/show STEP: {known}")
    step = steps[int(rest[:6]) - 1]
    arguments = step["arguments"]
    assert isinstance(arguments, dict)
    shown = {"tool": step["tool"], **{str(name): visible(str(value)) for name, value in arguments.items()}}
    for name in ("status", "exit_code", "verdict", "risk", "rule", "layers", "duration_s", "cached", "audit_id"):
        value = step.get(name)
        if value is not None and value != []:
            shown[name] = ", ".join(map(str, value)) if isinstance(value, list) else value
    render.out_fields(shown)
    render.out("")
    render.out(str(step.get("text", "it was interrupted")).rstrip())


async def _run(session: Session, rest: str) -> None:
    try:
        words = shlex.split(rest)
    except ValueError as error:
        raise UsageError(f"/run NAME [name=value ...]: {error}") from error
    if not words:
        raise UsageError("usage: /run NAME [name=value ...]", hint="/runbooks lists them")
    name, *pairs = words
    inputs: dict[str, object] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UsageError(f"inputs are written name=value, not {pair!r}")
        inputs[key] = value
    await session.play(name, inputs)


async def _model(session: Session, _rest: str) -> None:
    loop = session.loop
    fields: dict[str, object] = {"provider": loop.model.provider, "model": loop.model.model}
    if session.uses_model:
        fields |= {
            "window": f"{loop.context_tokens:,} tokens",
            "answers": f"at most {loop.max_tokens:,} tokens, at most {loop.timeout_s:g} s between two pieces",
        }
    else:
        fields["note"] = "no language model: messages are matched to runbooks; set providers.default to use one"
    render.out_fields({name: visible(str(value)) for name, value in fields.items()})


async def _mode(session: Session, rest: str) -> None:
    if not rest:
        render.out(f"{session.mode} (of {', '.join(MODES)})")
        return
    found = next((mode for mode in MODES if mode == rest), None)
    if found is None:
        raise UsageError(f"there is no mode {rest[:40]!r}{nearest(rest, MODES)}", hint=f"modes: {', '.join(MODES)}")
    session.mode = found
    render.talk(_MODE_WORDS[found], "yellow" if found == "autonomous" else "dim")


async def _export(session: Session, rest: str) -> None:
    messages = await _messages(session)
    if not messages:
        raise NotFoundError("there is no conversation to export yet")
    assert session.conversation is not None
    state = session.app.state
    path = Path(rest or f"akili-{session.conversation[:8]}.md").expanduser()
    path = state.start.cwd / path
    title = f"akili conversation {session.conversation}, {iso(state.clock.now())}"
    text = state.redactor.text(conversation_markdown(title, messages))
    write_new(path, text)
    render.talk(f"written: {path} ({len(messages)} messages)")


async def _new(session: Session, _rest: str) -> None:
    session.conversation = None
    session.last = None
    render.talk("a new conversation begins; the old one is kept", "dim")


async def _exit(session: Session, _rest: str) -> None:
    session.leaving = True


async def _messages(session: Session) -> tuple[Message, ...]:
    history = session.app.history
    if history is None or session.conversation is None:
        return ()
    return await history.load(session.conversation, session.me.user)


def _one_word(text: str, usage: str) -> str:
    if not text or " " in text:
        raise UsageError(f"usage: {usage}", hint="/approvals lists what waits")
    return text


def _table(header: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> None:
    """Print columns; the last one is cut where the terminal ends."""
    cells = [[str(cell) for cell in row] for row in rows]
    used = sum(2 + max(len(row[i]) for row in [list(header), *cells]) for i in range(len(header) - 1))
    room = max(20, columns() - used)
    render.out_table(header, [[*row[:-1], render.fitting(row[-1], room)] for row in cells])


COMMANDS: tuple[Command, ...] = (
    Command("help", "", "List the commands and keys.", _help),
    Command("tools", "[NAME]", "List the tools, or show one.", _tools),
    Command("runbooks", "", "List the runbooks.", _runbooks),
    Command("run", "NAME [k=v ...]", "Play a runbook without a model.", _run),
    Command("context", "", "Show what this conversation holds, and where it runs.", _context),
    Command("model", "", "Show which model answers.", _model),
    Command("mode", "[MODE]", "Show or set the mode: ask, read-only or autonomous.", _mode),
    Command("cost", "", "Show what was spent and what is left.", _cost),
    Command("policy", "[COMMAND]", "Show the rules, or what they say to a shell command.", _policy),
    Command("approvals", "", "List what waits for approval.", _approvals),
    Command("approve", "ID", "Show one, ask, and run exactly it once.", _approve),
    Command("deny", "ID [words]", "Refuse one; the words go to the model.", _deny),
    Command("last", "", "Show the last answer and its steps again.", _last),
    Command("show", "STEP", "Show one step of the last run whole.", _show),
    Command("export", "[FILE]", "Write the conversation as Markdown to a new file.", _export),
    Command("new", "", "Begin a new conversation.", _new),
    Command("exit", "", "Leave.", _exit),
)
