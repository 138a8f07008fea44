from __future__ import annotations

import pytest

from akili_cli.core.tools.git.hardening import hardened_argv, hardened_env
from akili_cli.core.tools.git.repository import Repository

REPO = Repository("/w", "/w/.git", "/c", ("/w", "/c"), ("filter.a=b.clean", "core.pager", "log.diffmerges"))


@pytest.mark.parametrize("subcommand", ["log", "diff", "show"])
def test_programs_named_by_attributes_are_switched_off(subcommand: str) -> None:
    argv = hardened_argv(subcommand, ("-p", "--", "x"))
    assert argv[:3] == ("git", "--no-pager", "--no-optional-locks")
    at = argv.index(subcommand)
    assert {"core.hooksPath=/dev/null", "core.fsmonitor=false", "protocol.allow=never"} <= set(argv[:at])
    assert {"--no-ext-diff", "--no-textconv"} <= set(argv[at:])
    assert argv[-3:] == ("-p", "--", "x")


def test_branch_always_lists() -> None:
    assert hardened_argv("branch", ("name",))[-3:] == ("branch", "--list", "name")
    assert hardened_argv("branch", ("--show-current",))[-2:] == ("branch", "--show-current")


def test_the_environment_names_the_repository_and_silences_its_keys() -> None:
    env = hardened_env(REPO)
    assert (env["GIT_DIR"], env["GIT_COMMON_DIR"], env["GIT_WORK_TREE"]) == ("/w/.git", "/c", "/w")
    count = int(env["GIT_CONFIG_COUNT"])
    pairs = [(env[f"GIT_CONFIG_KEY_{n}"], env[f"GIT_CONFIG_VALUE_{n}"]) for n in range(count)]
    assert ("filter.a=b.clean", "") in pairs
    assert ("safe.directory", "/w") in pairs
    assert f"GIT_CONFIG_KEY_{count}" not in env


def test_a_key_with_a_forced_value_is_not_emptied_as_well() -> None:
    env = hardened_env(REPO)
    keys = [value.lower() for name, value in env.items() if name.startswith("GIT_CONFIG_KEY_")]
    assert len(keys) == len(set(keys))
    assert "core.pager" not in keys
