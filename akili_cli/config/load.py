"""Makes the settings in force: flag over environment over project file over user file over default."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from akili_cli.adapters.files.paths import resolve
from akili_cli.adapters.files.yaml import KeyPath, line_of
from akili_cli.config.checks import cross_problems
from akili_cli.config.environment import environment_settings, expand, unknown_variables
from akili_cli.config.lines import Loaded, Origins, Problem, origins_in, render_path
from akili_cli.config.paths import Workspace
from akili_cli.config.sources import ConfigFile, is_foreign, read_config_file, shown
from akili_cli.config.tree import copy_mapping, pick, put_at, replace_at, value_at
from akili_cli.domain.decisions import Origin
from akili_cli.domain.errors import ConfigError, InvalidArgumentsError

if TYPE_CHECKING:
    from akili_cli.config.settings import Settings

ENVIRONMENT = Origin("env")
FLAG = Origin("flag")
MAX_SHOWN = 50
_EXPANDED = ("providers.*.base_url", "storage.postgres.dsn")
_PATHS = (
    "tools.file.allowed_paths.*",
    "tools.git.allowed_paths.*",
    "runbooks.directories.*",
    "storage.sqlite.path",
    "policies.capabilities.*.allowed_paths.*",
    "policies.capabilities.*.denied_paths.*",
    "policies.policies.*.allowed_paths.*",
    "policies.policies.*.denied_paths.*",
    "policies.rules.*.match.paths.*",
    "policies.rules.*.match.reads.*",
    "policies.rules.*.match.writes.*",
    "policies.rules.*.match.deletes.*",
)


@dataclass(slots=True)
class _Layers:
    """The configuration while it is put together."""

    data: dict[str, object] = field(default_factory=dict)
    origins: dict[KeyPath, Origin] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)


def load_settings(
    env: Mapping[str, str],
    *,
    config_path: str | None,
    overrides: Mapping[str, object],
    cwd: Path,
    workspace: Workspace,
) -> Loaded:
    """Read every source and check the whole.

    ``config_path`` is ``--config``; without it ``AKILI_CONFIG`` and then the workspace's own file count.
    ``overrides`` are flags as dotted paths; ``None`` means the flag was not given. Relative paths in any
    source are taken from ``cwd``.

    Raises ``ConfigError`` that lists every problem as ``file:line: path: what``.
    """
    layers = _Layers(warnings=list(unknown_variables(env)))
    user_file = _user_file(env, config_path, cwd, workspace)
    _add_defaults(layers, _add_user_file(layers, user_file))
    _add_project_file(layers, env, cwd, user_file)
    for path, value in environment_settings(env).items():
        _set(layers, path, value, ENVIRONMENT)
    for name, value in overrides.items():
        if value is not None:
            _set(layers, tuple(name.split(".")), value, FLAG)
    settings, problems = _check(layers.data, env, cwd)
    origins = Origins(layers.origins)
    problems = layers.problems + problems
    if problems or settings is None:
        raise _refusal(problems, origins)
    task_dirs = (_place(name, env, cwd) for name in settings.heartbeat_tasks.tasks_dirs)
    return Loaded(settings, origins, tuple(layers.warnings), tuple(layers.files), tuple(task_dirs))


def _place(name: str, env: Mapping[str, str], cwd: Path) -> Path:
    if name == "~" or name.startswith("~/"):
        return Path(env.get("HOME", "") + name[1:])
    return cwd / name


def _user_file(env: Mapping[str, str], config_path: str | None, cwd: Path, workspace: Workspace) -> Path | None:
    named = config_path or env.get("AKILI_CONFIG")
    if named:
        if "\0" in named:
            raise ConfigError("the config file's name holds a NUL character")
        if named.startswith("~/"):
            named = env.get("HOME", "") + named[1:]
        return cwd / named
    found = [path for path in workspace.config_files if os.path.lexists(path)]
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise ConfigError(
            f"{workspace.root}: more than one config file: {names}", hint="keep one, or name it with --config"
        )
    return found[0] if found else None


def _add_user_file(layers: _Layers, path: Path | None) -> ConfigFile | None:
    if path is None:
        return None
    file = read_config_file(path)
    layers.data = copy_mapping(file.data)
    layers.origins |= origins_in(file.data, file.lines, file.source)
    layers.files.append(path)
    dsn = value_at(file.data, ("storage", "postgres", "dsn"))
    if isinstance(dsn, str) and dsn.startswith("postgres") and not file.private:
        layers.warnings.append(f"{file.source} holds a database DSN and others may read it; chmod 600 it")
    return file


def _add_defaults(layers: _Layers, file: ConfigFile | None) -> None:
    from akili_cli.config.settings import DEFAULT_SECURITY, DEFAULT_TOOLS

    if file is None:
        layers.data["tools"] = copy_mapping(DEFAULT_TOOLS)
    security = layers.data.setdefault("security", {})
    if isinstance(security, dict) and "roles" not in security:
        layers.data["security"] = {**copy_mapping(DEFAULT_SECURITY), **security}


def _add_project_file(layers: _Layers, env: Mapping[str, str], cwd: Path, user_file: Path | None) -> None:
    from akili_cli.config.project import find_project_file, narrow

    path = find_project_file(cwd, user_file)
    if path is None:
        return
    if is_foreign(path):
        layers.warnings.append(f"{shown(path)} is ignored: it belongs to another user")
        return
    file = read_config_file(path)
    layers.files.append(path)
    taken, problems = narrow(file, _check(copy_mapping(layers.data), env, cwd)[0], cwd)
    layers.problems += problems
    for place, value in taken.items():
        if place == ("runbooks", "directories"):
            _append(layers, place, value, file)
        else:
            _set(layers, place, value, Origin(file.source, line_of(file.lines, place)))


def _append(layers: _Layers, path: KeyPath, value: object, file: ConfigFile) -> None:
    before = value_at(layers.data, path)
    listed = list(before) if isinstance(before, list) else []
    if not isinstance(value, list) or not (before is None or isinstance(before, list)):
        _set(layers, path, value, Origin(file.source, line_of(file.lines, path)))
        return
    for index, entry in enumerate(value):
        origin = Origin(file.source, line_of(file.lines, (*path, index)))
        layers.origins[*path, len(listed)] = origin
        listed.append(entry)
    kept = {key: origin for key, origin in layers.origins.items() if key[: len(path)] == path}
    _set(layers, path, listed, kept.get(path, Origin(file.source, line_of(file.lines, path))))
    layers.origins |= kept


def _set(layers: _Layers, path: KeyPath, value: object, origin: Origin) -> None:
    """Put a value at a path; where a section is no mapping, that is the problem to report."""
    if put_at(layers.data, path, value):
        for key in [key for key in layers.origins if key[: len(path)] == path]:
            del layers.origins[key]
        layers.origins[path] = origin


def _expand_variables(data: object, env: Mapping[str, str]) -> Iterator[Problem]:
    """Replace ``${NAME}`` in the few settings where that is meant."""
    for pattern in _EXPANDED:
        for path, value in pick(data, pattern):
            if isinstance(value, str) and "${" in value:
                try:
                    replace_at(data, path, expand(value, env))
                except ValueError as error:
                    yield Problem(path, str(error))


def _resolve_paths(data: object, cwd: Path, home: str) -> Iterator[Problem]:
    """Make every path absolute and resolved, as the effects of calls are."""
    for pattern in _PATHS:
        for path, value in pick(data, pattern):
            if isinstance(value, str) and value:
                try:
                    replace_at(data, path, resolve(value, cwd=str(cwd), home=home))
                except InvalidArgumentsError as error:
                    yield Problem(path, str(error))


def _check(data: dict[str, object], env: Mapping[str, str], cwd: Path) -> tuple[Settings | None, list[Problem]]:
    """Give the settings and everything that is wrong with them; each key is spoken of once."""
    from pydantic import ValidationError

    from akili_cli.config.settings import Settings

    problems = list(_expand_variables(data, env))
    problems += cross_problems(data)
    problems += _resolve_paths(data, cwd, env.get("HOME", ""))
    try:
        settings = Settings.model_validate(data)
    except ValidationError as error:
        from akili_cli.config.problems import problems_in

        settings = None
        problems += problems_in(error)
    once: dict[KeyPath, Problem] = {}
    for problem in problems:
        once.setdefault(problem.path, problem)
    return settings, list(once.values())


def _refusal(problems: list[Problem], origins: Origins) -> ConfigError:
    placed = [(problem.origin or origins.at(problem.path), problem) for problem in problems]
    placed.sort(key=lambda pair: (pair[0].source, pair[0].line or 0))
    texts = [_sentence(origin, problem) for origin, problem in placed]
    if len(texts) > MAX_SHOWN:
        texts[MAX_SHOWN:] = [f"and {len(texts) - MAX_SHOWN} more"]
    hint = "`akili config schema` shows every key"
    if len(texts) == 1:
        return ConfigError(texts[0], hint=hint)
    return ConfigError(f"{len(placed)} problems in the configuration\n" + "\n".join(texts), hint=hint)


def _sentence(origin: Origin, problem: Problem) -> str:
    where = "" if origin.source == "default" else f"{origin}: "
    return f"{where}{render_path(problem.path)}: {problem.what}"
