from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from akili_cli.config.lines import Loaded
from akili_cli.config.load import load_settings
from akili_cli.config.paths import open_workspace
from akili_cli.domain.decisions import Origin
from akili_cli.domain.errors import ConfigError

Load = Callable[..., Loaded]


@pytest.fixture
def cwd(tmp_path: Path) -> Path:
    path = tmp_path / "project"
    path.mkdir()
    return path


@pytest.fixture
def load(tmp_path: Path, cwd: Path) -> Load:
    def call(
        env: Mapping[str, str] | None = None,
        *,
        config: str | None = None,
        flags: Mapping[str, object] | None = None,
        **files: str,
    ) -> Loaded:
        home = {"HOME": str(tmp_path)}
        workspace = open_workspace(home)
        for name, text in files.items():
            stem, _, suffix = name.partition("_")
            path = (workspace.root / f"config.{suffix}") if stem == "user" else cwd / f"akili.{suffix}"
            path.write_text(text, encoding="utf-8")
            path.chmod(0o600)
        return load_settings(
            {**home, **(env or {})}, config_path=config, overrides=flags or {}, cwd=cwd, workspace=workspace
        )

    return call


def test_without_any_file_the_bare_machine_has_a_policy(load: Load, cwd: Path) -> None:
    loaded = load()
    security, tools = loaded.settings.security, loaded.settings.tools
    assert security.default_role == "operator"
    assert security.roles["operator"].max_risk_level == "medium"
    assert security.roles["operator"].require_approval == ("write_files",)
    assert tools.file.allowed_paths == tools.git.allowed_paths == (str(cwd),)
    assert tools.web.allowed_domains == ()
    assert loaded.settings.policies.builtin == ("diagnostics", "destructive-commands")
    assert str(loaded.origins.of("security.roles.operator.max_risk_level")) == "default"
    assert loaded.files == ()
    assert loaded.warnings == ()


@pytest.mark.parametrize("text", ["", "# nothing\n", "budget: {default_limit_usd: 1}\n"])
def test_a_file_that_leaves_the_path_lists_out_gets_none(text: str, load: Load) -> None:
    loaded = load(user_yaml=text)
    assert loaded.settings.tools.file.allowed_paths == ()
    assert loaded.settings.security.default_role == "operator"


def test_a_file_with_roles_gets_exactly_those(load: Load) -> None:
    loaded = load(user_yaml="security:\n  roles:\n    dev: {permissions: [read_files], max_risk_level: low}\n")
    assert tuple(loaded.settings.security.roles) == ("dev",)
    assert loaded.settings.security.default_role is None


def test_a_file_may_map_users_to_the_built_in_roles(load: Load) -> None:
    security = load(user_yaml="security: {user_roles: {ann: admin}}\n").settings.security
    assert security.user_roles == {"ann": "admin"}
    assert security.default_role == "operator"


def test_each_value_knows_its_line(load: Load, tmp_path: Path) -> None:
    file = str(tmp_path / ".akili" / "config.yaml")
    loaded = load(user_yaml="agent:\n  max_steps: 7\ntools:\n  web:\n    allowed_domains:\n    - a.com\n    - b.com\n")
    assert loaded.origins.of("agent.max_steps") == Origin(file, 2)
    assert loaded.origins.of("tools.web.allowed_domains[1]") == Origin(file, 7)
    assert loaded.origins.of("agent.max_repeats") == Origin(file, 1)
    assert str(loaded.origins.of("memory.enabled")) == "default"


def test_flag_beats_environment_beats_project_beats_user_beats_default(load: Load) -> None:
    user = "agent: {max_steps: 50, max_iterations: 20, max_repeats: 9}\nstorage: {driver: sqlite}\n"
    project = "agent: {max_steps: 40, max_iterations: 10}\n"
    loaded = load(
        {"AKILI_DB_DSN": "postgres://h/d"}, user_yaml=user, project_yaml=project, flags={"agent.max_steps": 30}
    )
    agent = loaded.settings.agent
    assert (agent.max_steps, agent.max_iterations, agent.max_repeats) == (30, 10, 9)
    assert agent.max_result_bytes == 16_384
    assert loaded.settings.storage.driver == "postgres"
    assert str(loaded.origins.of("agent.max_steps")) == "flag"
    assert str(loaded.origins.of("agent.max_iterations")).endswith("akili.yaml:1")
    assert str(loaded.origins.of("agent.max_repeats")).endswith("config.yaml:1")
    assert str(loaded.origins.of("storage.postgres.dsn")) == "env"
    assert len(loaded.files) == 2


def test_a_flag_that_was_not_given_changes_nothing(load: Load) -> None:
    assert load(flags={"agent.max_steps": None}).settings.agent.max_steps == 100


@pytest.mark.parametrize(
    ("flags", "what"),
    [({"agent.max_steps": 0}, "flag: agent.max_steps: must be >= 1"), ({"agent.max_step": 1}, "did you mean")],
)
def test_a_wrong_flag_is_refused_as_one(flags: dict[str, object], what: str, load: Load) -> None:
    with pytest.raises(ConfigError, match=what):
        load(flags=flags)


def test_json_is_read_alike(load: Load) -> None:
    loaded = load(user_json='{\n "agent": {\n  "max_steps": 7}}')
    assert loaded.settings.agent.max_steps == 7
    assert loaded.origins.of("agent.max_steps").line == 3


def test_a_byte_order_mark_is_no_trouble(load: Load) -> None:
    assert load(user_json='\ufeff{"agent": {"max_steps": 7}}').settings.agent.max_steps == 7


def test_the_named_file_is_the_only_one(load: Load, tmp_path: Path, cwd: Path) -> None:
    named = cwd / "mine.yml"
    named.write_text("agent: {max_steps: 3}\n")
    other = tmp_path / "other.yaml"
    other.write_text("agent: {max_steps: 4}\n")
    for path in (named, other):
        path.chmod(0o600)
    user = "agent: {max_steps: 5}\n"
    assert load(config="mine.yml", user_yaml=user).settings.agent.max_steps == 3
    assert load({"AKILI_CONFIG": str(other)}, user_yaml=user).settings.agent.max_steps == 4
    assert load({"AKILI_CONFIG": "~/other.yaml"}, user_yaml=user).settings.agent.max_steps == 4
    assert load({"AKILI_CONFIG": str(other)}, config="mine.yml").settings.agent.max_steps == 3
    assert load(user_yaml=user).settings.agent.max_steps == 5


def test_a_named_project_file_counts_as_the_users(load: Load, cwd: Path) -> None:
    (cwd / "akili.yaml").write_text("budget: {default_limit_usd: 3}\n")
    (cwd / "akili.yaml").chmod(0o600)
    assert load(config="akili.yaml").settings.budget.default_limit_usd == 3.0


@pytest.mark.parametrize("name", ["missing.yaml", ".", "nul\0", "pipe"])
def test_a_named_file_that_cannot_be_read_is_refused(name: str, load: Load, cwd: Path) -> None:
    os.mkfifo(cwd / "pipe")
    with pytest.raises(ConfigError):
        load(config=name)


def test_two_files_in_the_workspace_are_refused(load: Load) -> None:
    with pytest.raises(ConfigError, match=r"config\.yaml, config\.json"):
        load(user_yaml="{}", user_json="{}")


def test_every_problem_is_listed_in_the_order_of_the_file(load: Load) -> None:
    text = (
        "agent:\n  max_steps: 0\nbudgt: {}\nsecurity: {default_role: nobody}\ntools: {file: {allowed_paths: ['*']}}\n"
    )
    with pytest.raises(ConfigError) as caught:
        load(user_yaml=text)
    first, *rest = str(caught.value).splitlines()
    assert first == "4 problems in the configuration"
    assert [line.split(": ")[0].rpartition(":")[2] for line in rest] == ["2", "3", "4", "5"]
    assert "schema" in caught.value.hint


def test_hundreds_of_problems_are_cut(load: Load) -> None:
    with pytest.raises(ConfigError) as caught:
        load(user_yaml="".join(f"nonsense{n}: 1\n" for n in range(200)))
    assert str(caught.value).splitlines()[-1] == "and 150 more"


def test_a_secret_is_never_in_the_message(load: Load) -> None:
    with pytest.raises(ConfigError) as caught:
        load(user_yaml="providers: {openai: {api_key: [sk-hidden]}}\nstorage: {postgres: {dsn: 'x://u:hidden@h'}}\n")
    assert "hidden" not in str(caught.value)


def test_variables_are_expanded_only_where_that_is_meant(load: Load) -> None:
    loaded = load(
        {"OLLAMA": "gpu1:11434"},
        user_yaml="providers: {ollama: {base_url: 'http://${OLLAMA}', model: '${OLLAMA}'}}\n",
    )
    ollama = loaded.settings.providers.ollama
    assert ollama is not None
    assert (ollama.base_url, ollama.model) == ("http://gpu1:11434", "${OLLAMA}")


def test_paths_are_resolved_from_where_akili_was_started(load: Load, cwd: Path, tmp_path: Path) -> None:
    (cwd / "link").symlink_to("/usr")
    loaded = load(
        user_yaml="tools: {file: {allowed_paths: [sub, link/lib, ~/notes, /tmp/../etc]}}\n"
        "policies: {capabilities: {a: {denied_paths: [link]}}, bindings: {operator: a}}\n"
    )
    assert loaded.settings.tools.file.allowed_paths == (
        str(cwd / "sub"),
        os.path.realpath("/usr/lib"),
        str(tmp_path / "notes"),
        "/etc",
    )
    assert loaded.settings.policies.named["a"].denied_paths == ("/usr",)


def test_an_alias_shared_by_two_keys_is_not_changed_for_both(load: Load) -> None:
    loaded = load(
        user_yaml="runbooks: {directories: &d [a]}\ntools: {file: {allowed_paths: *d}}\n",
        project_yaml="runbooks: {directories: [b]}\n",
    )
    assert len(loaded.settings.runbooks.directories) == 2
    assert len(loaded.settings.tools.file.allowed_paths) == 1


def test_unknown_variables_are_warned_about(load: Load) -> None:
    (warning,) = load({"AKILI_CONFG": "x", "AKILI_GATEWAY_URL": "y", "AKILI_TEST_X": "z"}).warnings
    assert "did you mean `AKILI_CONFIG`?" in warning


def test_a_readable_file_with_a_dsn_is_warned_about(load: Load, tmp_path: Path) -> None:
    path = tmp_path / "shared.yaml"
    path.write_text("storage: {driver: postgres, postgres: {dsn: 'postgres://u:p@h/d'}}\n")
    path.chmod(0o644)
    (warning,) = load(config=str(path)).warnings
    assert "chmod 600" in warning


def test_the_project_file_may_narrow(load: Load, cwd: Path) -> None:
    loaded = load(project_yaml="agent: {max_steps: 5, max_cost_usd: 0.5}\nmemory: {enabled: false}\n")
    assert loaded.settings.agent.max_steps == 5
    assert loaded.settings.agent.max_cost_usd == 0.5
    assert loaded.settings.memory.enabled is False
    assert loaded.settings.tools.file.allowed_paths == (str(cwd),)


def test_the_project_file_adds_runbooks_after_the_users(load: Load, cwd: Path) -> None:
    loaded = load(user_yaml="runbooks: {directories: [/srv/rb]}\n", project_yaml="runbooks:\n  directories:\n  - rb\n")
    assert loaded.settings.runbooks.directories == ("/srv/rb", str(cwd / "rb"))
    assert str(loaded.origins.of("runbooks.directories[0]")).endswith("config.yaml:1")
    assert str(loaded.origins.of("runbooks.directories[1]")).endswith("akili.yaml:3")


@pytest.mark.parametrize(
    "text",
    [
        "security: {default_role: admin}",
        "policies: {builtin: []}",
        "tools: {file: {allowed_paths: [/]}}",
        "sandbox: {max_memory_mb: 16}",
        "storage: {sqlite: {path: x.db}}",
        "approval: {four_eyes: false}",
        "budget: {default_limit_usd: 1}",
        "providers: {default: openai}",
        "logging: {level: debug}",
        "gateways: {}",
        "agent: {max_steps: 101}",
        "agent: {max_steps: null}",
        "agent: {max_steps: '1'}",
        "agent: {max_steps: []}",
        "agent: 5",
        "agent: {new: 1}",
        "memory: {max_history_messages: 1000}",
        "runbooks: {max_matches: 1}",
        "runbooks: {directories: [/etc]}",
        "runbooks: {directories: [../up]}",
        "runbooks: {directories: [~/x]}",
        "runbooks: {directories: [out]}",
        "runbooks: {directories: x}",
        "runbooks: {directories: {a: b}}",
    ],
)
def test_the_project_file_may_not_widen(text: str, load: Load, cwd: Path) -> None:
    (cwd / "out").symlink_to("/etc")
    with pytest.raises(ConfigError, match=r"akili\.yaml:1"):
        load(project_yaml=f"{text}\n")


def test_a_project_file_may_not_raise_what_the_user_lowered(load: Load) -> None:
    user = "agent: {max_cost_usd: 1.0}\nmemory: {enabled: false}\n"
    for project in ("agent: {max_cost_usd: 2}\n", "memory: {enabled: true}\n", "agent: {max_cost_usd: null}\n"):
        with pytest.raises(ConfigError, match="may only lower it"):
            load(user_yaml=user, project_yaml=project)


def test_two_project_files_are_refused(load: Load) -> None:
    with pytest.raises(ConfigError, match="more than one project file"):
        load(project_yaml="{}", project_json="{}")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_strangers_project_file_is_ignored_with_a_warning(load: Load, cwd: Path) -> None:
    (cwd / "akili.yaml").write_text("nonsense: [")
    os.chown(cwd / "akili.yaml", 54_321, 54_321)
    (warning,) = load().warnings
    assert "belongs to another user" in warning


@pytest.mark.parametrize("value", ["1", "true", "TRUE", "yes"])
def test_the_autonomous_variable_is_refused(value: str, load: Load) -> None:
    with pytest.raises(ConfigError, match="AKILI_AUTONOMOUS_MODE"):
        load({"AKILI_AUTONOMOUS_MODE": value})
