from __future__ import annotations

from pathlib import Path

import pytest

from akili_cli.domain.errors import ConfigError
from akili_cli.features.runbooks.source import (
    load_runbook,
    parse_runbook,
    read_text,
    runbook_files,
    slug_of,
)
from tests.unit.features.runbooks.samples import runbook, runbook_text

DISK = "id: disk\ntool: shell_exec\nwith: {command: df -P}\ncapture: {kind: table}"


def test_the_seeds_example_without_steps_is_a_runbook() -> None:
    text = (
        "---\nname: My Custom Runbook\nagent_role: executor\ncategory: my-category\ntools_required:\n"
        "  - shell_exec\n  - file_read\nrisk_level: medium\ndefault_budget: 0.50\n---\n\nDescription of what...\n"
    )
    book = parse_runbook(text, path="/x/My Custom.md")
    assert (book.slug, book.name, book.steps) == ("my-custom", "My Custom Runbook", ())
    assert book.body == "\nDescription of what...".strip("\n")


def test_steps_are_found_wherever_markdown_sees_a_fence() -> None:
    prose = (
        "# T\n\n1. first\n\n   ```yaml akili\n   id: one\n   tool: shell_exec\n   ```\n\n"
        "> ````akili\n> id: two\n> tool: shell_exec\n> ````\n\n"
        "~~~ yaml akili\nid: three\ntool: shell_exec\n~~~\n\n"
        "```yaml\nid: not_a_step\n```\n\n````text\n```yaml akili\nid: shown\n```\n````\n"
    )
    assert [step.id for step in runbook(prose=prose).steps] == ["one", "two", "three"]


def test_bullets_are_collected_by_heading() -> None:
    book = runbook(prose="# T\n\n## Next steps\n\n- do this\n- then\n  that\n\n## Escalation\n\n- call\n")
    assert book.sections["next steps"] == ("do this", "then that")
    assert book.sections["escalation"] == ("call",)


@pytest.mark.parametrize(
    ("step", "what"),
    [
        (DISK.replace("capture", "captrue"), r"sample\.md:15: unknown key 'captrue'; did you mean `capture`"),
        (DISK.replace("kind", "knid"), r"sample\.md:15: unknown key 'knid'; did you mean `kind`"),
        (
            DISK + "\nfindings:\n  - {colum: a, op: present, severity: info, say: x}",
            r"sample\.md:17: unknown key 'colum'",
        ),
        (DISK + "\nfindings:\n  - {column: a, op: present, severity: bad, say: x}", r"sample\.md:17: findings\.0"),
        (DISK.replace("tool: shell_exec\n", ""), r"'tool' is missing"),
        (DISK + "\nid: again", r"sample\.md:16: duplicate key"),
        ("id: [", r"sample\.md:1\d: not valid YAML"),
        ("just text", r"sample\.md:\d+"),
        ("!!python/object/apply:os.system [id]", r"sample\.md:12"),
        (DISK + "\nwhen: {step: dsik, status: ok}", "names no earlier step 'dsik'"),
        (DISK + "\nwhen: {step: disk, status: ok}", "names no earlier step 'disk'"),
        (DISK + "\nforeach: {step: later}", "foreach names no earlier step"),
        (DISK + "\nverify:\n  - {id: v, tool: t, verify: [{id: w, tool: t}]}", "inside a step"),
        (DISK + "\nverify:\n  - {id: disk, tool: t}", "exists already"),
        (
            DISK + "\nfindings:\n  - {op: present, severity: info, say: x, where: [{count: true, op: '>', value: 1}]}",
            "count",
        ),
        (DISK + "\ntimeout: forever", "timeout"),
    ],
)
def test_a_wrong_step_is_refused_with_file_line_and_word(step: str, what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        runbook(step)


def test_two_steps_may_not_share_an_id_and_there_is_an_end_to_steps() -> None:
    with pytest.raises(ConfigError, match="exists already"):
        runbook(DISK, DISK)
    with pytest.raises(ConfigError, match="more than 50 steps"):
        runbook(*(f"id: s{number}x\ntool: shell_exec" for number in range(51)))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("no front matter", "no front matter"),
        ("---\nname: x\n", "not closed"),
        ("---\nname: Sample\n---\n", "is missing"),
        (
            runbook_text().replace("name: Sample", "nmae: Sample"),
            r"sample\.md:\d: (unknown key 'nmae'|'name' is missing)",
        ),
        (runbook_text().replace("executor", "boss"), r"sample\.md:3: agent_role"),
        (runbook_text(extra="inputs: {Bad: {default: x}}\n"), r"sample\.md:8: an input's name"),
        (runbook_text(extra="inputs: {n: {type: int, default: x}}\n"), r"the default of 'n' does not fit"),
        (runbook_text(prose="```akili extra\nid: x\n```\n"), "tagged 'yaml akili'"),
    ],
)
def test_a_wrong_file_is_refused_with_file_and_line(text: str, what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        parse_runbook(text, path="sample.md")


def test_only_markdown_files_of_the_folder_itself_are_runbooks(tmp_path: Path) -> None:
    (tmp_path / "b.md").write_text("x")
    (tmp_path / "a.md").write_text("x")
    (tmp_path / "README.md").write_text("x")
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "c.md").write_text("x")
    assert [path.name for path in runbook_files(tmp_path)] == ["a.md", "b.md"]
    assert runbook_files(tmp_path / "none") == ()


@pytest.mark.parametrize(("name", "slug"), [("a.md", "a"), ("My Book.md", "my-book"), ("ÄÖ.md", "runbook")])
def test_a_slug_is_made_of_plain_letters(name: str, slug: str) -> None:
    assert slug_of(Path(name)) == slug


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    (tmp_path / "latin.md").write_bytes(b"---\nname: \xe4\n---\n")
    (tmp_path / "big.md").write_bytes(b"x" * 1_048_577)
    for name, what in (("latin.md", "UTF-8"), ("big.md", "larger"), ("none.md", "cannot be read")):
        with pytest.raises(ConfigError, match=what):
            read_text(tmp_path / name)


def test_a_file_is_loaded_with_its_digest(tmp_path: Path) -> None:
    path = tmp_path / "disk-check.md"
    path.write_text(runbook_text(DISK))
    book = load_runbook(path)
    assert (book.slug, len(book.sha256), book.lines["disk"]) == ("disk-check", 64, 11)
