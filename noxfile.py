"""Sessions of the contributor's day: `nox` runs lint, types, imports and tests; `nox -s bench` prints figures."""

from __future__ import annotations

import nox

nox.options.sessions = ["lint", "types", "imports", "tests"]
nox.options.default_venv_backend = "none"


@nox.session
def lint(session: nox.Session) -> None:
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")


@nox.session
def types(session: nox.Session) -> None:
    session.run("mypy")


@nox.session
def imports(session: nox.Session) -> None:
    session.run("lint-imports")


@nox.session
def tests(session: nox.Session) -> None:
    session.run("pytest", *session.posargs)


@nox.session
def security(session: nox.Session) -> None:
    session.run("pytest", "tests/security", *session.posargs)


@nox.session
def e2e(session: nox.Session) -> None:
    session.run("pytest", "tests/e2e", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    for name in ("start", "pipeline", "policy", "audit", "sandbox"):
        session.run("python", f"tests/benchmarks/bench_{name}.py")


@nox.session
def build(session: nox.Session) -> None:
    session.run("pip", "wheel", "--no-deps", "-w", "dist", ".")
