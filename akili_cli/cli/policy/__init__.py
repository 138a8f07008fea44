"""``akili policy``: what would be decided and why, and whether the rules hold."""

from __future__ import annotations

from pathlib import Path

import typer

from akili_cli.cli.boundary import run
from akili_cli.cli.remote import KEY, URL, chosen

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Explain, test, check, compare and prove the policy.",
)
JSON = typer.Option(False, "--json", help="Print JSON.")


@app.command(
    help="Say what would be decided about a call, and why; nothing is run.\n\n"
    "Give a command line (after --, or as one quoted text), or --tool with --arg, or --audit."
)
def explain(
    command: list[str] = typer.Argument(None, help="A command line for shell_exec."),
    tool: str | None = typer.Option(None, "--tool", help="Another tool."),
    arg: list[str] = typer.Option([], "--arg", help="name=value of the tool; the value may be JSON; repeatable."),
    audit: str | None = typer.Option(None, "--audit", help="Decide a recorded call again."),
    user: str | None = typer.Option(None, "--user", help="Who asks; you, when left out."),
    agent: str | None = typer.Option(None, "--agent", help="The agent that acts for them."),
    source: str | None = typer.Option(None, "--source", help="Where it came in: cli or repl."),
    untrusted: list[str] = typer.Option([], "--untrusted", help="Label of outside text in context; repeatable."),
    read_only: bool = typer.Option(False, "--read-only", help="In a read-only run."),
    autonomous: bool = typer.Option(False, "--autonomous", help="In an autonomous run."),
    as_json: bool = JSON,
    gateway_url: str | None = URL,
    api_key: str | None = KEY,
) -> None:
    """Explain a decision."""
    from akili_cli.cli.policy.explain import Question, explain_call

    run(
        explain_call(
            Question(
                command=tuple(command or ()),
                tool=tool,
                arguments=tuple(arg),
                audit=audit,
                user=user,
                agent=agent,
                source=source,
                untrusted=tuple(untrusted),
                read_only=read_only,
                autonomous=autonomous,
            ),
            as_json,
            chosen(gateway_url, api_key),
        )
    )


@app.command(help="Decide the cases of YAML files; exit code 1 when one differs from what it says.")
def test(file: list[Path], as_json: bool = JSON) -> None:
    """Test the policy."""
    from akili_cli.cli.policy.test import test_cases

    raise typer.Exit(run(test_cases(file, as_json)))


@app.command(help="Find rules that never match, are covered or contradict others; exit code 1 on an error.")
def lint(as_json: bool = JSON) -> None:
    """Check the rules as a whole."""
    from akili_cli.cli.policy.lint import lint_policy

    raise typer.Exit(lint_policy(as_json))


@app.command(help="Show which decisions differ between two config files.")
def diff(
    old: Path,
    new: Path,
    cases: list[Path] = typer.Option([], "--cases", help="YAML files with more calls to compare; repeatable."),
    exit_code: bool = typer.Option(False, "--exit-code", help="Exit with 1 when any decision differs."),
    as_json: bool = JSON,
) -> None:
    """Compare two policies."""
    from akili_cli.cli.policy.diff import diff_policies

    differs = run(diff_policies(old, new, cases, as_json))
    raise typer.Exit(1 if differs and exit_code else 0)


@app.command(help="Decide recorded actions again; exit code 1 when the policy became wider for any of them.")
def simulate(
    against: str = typer.Option(..., "--against", help="latest (run), a span like 24h, or a moment (ISO 8601)."),
    config: Path | None = typer.Option(None, "--config", help="The candidate; the policy in force when left out."),
    limit: int = typer.Option(1000, "--limit", min=1, max=100_000, help="How many records at most, newest first."),
    as_json: bool = JSON,
) -> None:
    """Replay the audit under a policy."""
    from akili_cli.cli.policy.simulate import simulate_policy

    raise typer.Exit(run(simulate_policy(against, config, limit, as_json)))


@app.command(
    help="See every rule fire from every entry point, with tools that do nothing; exit code 1 if one does not."
)
def prove(
    config: Path | None = typer.Option(None, "--config", help="Another config file."),
    as_json: bool = JSON,
) -> None:
    """Prove the policy."""
    from akili_cli.cli.policy.prove import prove_policy

    raise typer.Exit(run(prove_policy(config, as_json)))
