"""``akili`` without a command: a conversation at the prompt."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from akili_cli import __version__
from akili_cli.cli import render
from akili_cli.cli.boundary import run
from akili_cli.domain.errors import AkiliError, UsageError

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession

    from akili_cli.bootstrap.app import App
    from akili_cli.cli.repl_session import Session

LEAVING_WORDS = ("exit", "quit")


def start() -> int:
    """Open the prompt and give the exit code; raises ``UsageError`` when there is no terminal to open it on."""
    if not all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        raise UsageError(
            "the prompt needs a terminal",
            hint="without one: akili query -m TEXT, or -m - to read the text from standard input",
        )
    run(_repl())
    return 0


async def _repl() -> None:
    from akili_cli.cli.opening import opened_app, principal
    from akili_cli.cli.prompt import TerminalAsker
    from akili_cli.cli.repl_session import Session
    from akili_cli.domain.calls import Source

    asker = TerminalAsker()
    async with opened_app(asker) as app:
        asker.app = app
        _preload(app)
        session = Session(app=app, asker=asker, loop=await app.loop(), me=principal(Source.REPL))
        _greet(session)
        await _lines(session, _prompt(session))


def _preload(app: App) -> None:
    """Begin to load what a model will need while the person is still typing."""
    from akili_cli.adapters.llm.open import KNOWN, chosen_provider

    providers, env = app.state.loaded.settings.providers, app.state.start.env
    name = chosen_provider(providers, env)
    own = getattr(providers, name, None)
    kind = (own.kind if own is not None else None) or (KNOWN[name].kind if name in KNOWN else None)
    if kind == "litellm":
        from akili_cli.adapters.llm.providers.litellm import preload

        preload()


def _greet(session: Session) -> None:
    state = session.app.state
    root = state.workspace.root
    place = f"~/{root.relative_to(state.home)}" if root.is_relative_to(state.home) else str(root)
    model = f", model {session.model_name}" if session.uses_model else ""
    render.talk(f"akili {__version__}, workspace {place}{model}", "bold")
    for notice in session.app.notices:
        render.talk(notice, "dim")
    render.talk("Ask something, or /help. Ctrl-D leaves.", "dim")


def _prompt(session: Session) -> PromptSession[str]:
    from akili_cli.cli.repl_commands import COMMANDS
    from akili_cli.cli.repl_terminal import PrivateHistory, PromptCompleter, open_prompt

    runbooks = [(one.slug, one.front.description or one.name) for one in session.app.runbooks.list()]
    box = session.app.pipeline.tools
    tools = [(name, box.get(name).summary) for name in box.names()]

    def arguments(command: str) -> list[tuple[str, str]]:
        match command:
            case "run":
                return runbooks
            case "tools":
                return tools
            case "approve" | "deny":
                return [(short, "") for short in session.pending]
            case "show":
                steps = session.last.steps if session.last is not None else []
                return [(str(number), str(step["tool"])) for number, step in enumerate(steps, 1)]
            case "mode":
                from akili_cli.cli.repl_session import MODES

                return [(mode, "") for mode in MODES]
            case _:
                return []

    completer = PromptCompleter([(one.name, one.help) for one in COMMANDS], arguments, lambda: [*tools, *runbooks])
    state = session.app.state
    history = PrivateHistory(state.workspace.history_file, state.redactor)
    return open_prompt(history, completer, color=render.has_color(sys.stdout))


async def _lines(session: Session, prompt: PromptSession[str]) -> None:
    while not session.leaving:
        status = await _status(session)
        try:
            line = await prompt.prompt_async(bottom_toolbar=f" {status}")
        except KeyboardInterrupt:
            if not prompt.default_buffer.text:
                render.talk("to leave: Ctrl-D, or /exit", "dim")
            continue
        except EOFError:
            return
        if line.strip() in LEAVING_WORDS:
            return
        if line.strip():
            await _obey(session, line.rstrip())


async def _status(session: Session) -> str:
    known = session.pending
    status = await session.status_line()
    new = len(set(session.pending) - set(known))
    if new:
        render.talk(f"{new} call{'s' * (new > 1)} waiting for approval: /approvals", "yellow")
    return status


async def _obey(session: Session, line: str) -> None:
    from akili_cli.cli.repl_commands import dispatch
    from akili_cli.cli.repl_session import interruptible

    work = dispatch(session, line) if line.startswith("/") else session.take(line.strip())
    try:
        if not await interruptible(work):
            render.talk("stopped\n", "yellow")
    except AkiliError as error:
        render.talk(f"{error}", "red")
        if error.hint:
            render.talk(f"hint: {error.hint}")
