from __future__ import annotations

import hashlib

import pytest

from akili_cli.features.heartbeats.model import Mode, Precheck, PrecheckKind, TaskFile
from akili_cli.features.heartbeats.source import MAX_BYTES, MAX_PROBLEMS, MAX_TASKS, parse_file

HEAD = '---\nname: ops\ndefault_cron: "*/30 * * * *"\n---\n'
SEED = """\
---
name: daily-ops
description: Daily operational heartbeat tasks
user_id: cli-user
default_cron: "*/30 * * * *"
default_budget_usd: 0.50
notification_channels: []
enabled: true
---

## Quick Tasks

### Report current time
- cron: "* * * * *"
- mode: quick
- budget_usd: 0.05

Report the current time and date.

## Long Tasks

### Search AI news
- cron: "0 9 * * *"
- mode: long
- budget_usd: 1.00

Search the web for the latest AI news and provide a summary.
"""


def read(text: str | bytes) -> TaskFile:
    return parse_file(text.encode() if isinstance(text, str) else text, path="f.md")


def prompts(text: str | bytes) -> dict[str, str]:
    file = read(text)
    assert file.problems == ()
    return {task.name: task.prompt for task in file.tasks}


def test_the_example_of_the_format_is_read_as_written() -> None:
    file = read(SEED)
    assert file.problems == ()
    assert (file.group, file.sha256) == ("daily-ops", hashlib.sha256(SEED.encode()).hexdigest())
    one, two = file.tasks
    assert (one.name, one.cron_expression, one.mode, one.budget_usd) == (
        "Report current time",
        "* * * * *",
        Mode.QUICK,
        0.05,
    )
    assert (two.name, two.cron_expression, two.mode, two.budget_usd) == ("Search AI news", "0 9 * * *", Mode.LONG, 1.0)
    assert (one.prompt, one.user, one.enabled, one.line) == (
        "Report the current time and date.",
        "cli-user",
        True,
        13,
    )
    assert two.prompt == "Search the web for the latest AI news and provide a summary."


def test_what_is_left_out_is_the_files_default_or_the_formats() -> None:
    (task,) = read(HEAD + "### t\nDo it.").tasks
    assert (task.cron_expression, task.budget_usd, task.mode, task.user) == ("*/30 * * * *", 0.5, Mode.QUICK, None)
    assert (task.enabled, task.channels, task.precheck, task.max_runs_per_day) == (True, (), None, None)


def test_all_fields_of_a_task_are_read() -> None:
    fields = "- precheck: command df -P /\n- max_runs_per_day: 4\n- budget_usd: 2\n- mode: 'long'\n"
    (task,) = read(HEAD + "### t\n" + fields + "Do it.").tasks
    assert task.precheck == Precheck(PrecheckKind.COMMAND, "df -P /")
    assert (task.max_runs_per_day, task.budget_usd, task.mode, task.prompt) == (4, 2.0, Mode.LONG, "Do it.")


PROMPTS = {
    "a fence with a heading": ("```\n### no\n```", "```\n### no\n```"),
    "a fence with a field": ("x\n```\n- cron: never\n```", "x\n```\n- cron: never\n```"),
    "a fence of tildes": ("~~~md\n### no\n- mode: odd\n~~~", "~~~md\n### no\n- mode: odd\n~~~"),
    "a fence in a fence": ("````\n```\n### no\n```\n````", "````\n```\n### no\n```\n````"),
    "a fence that is never closed": ("```\n### no\n- cron: x", "```\n### no\n- cron: x"),
    "a deeper heading": ("Do.\n#### More\n- cron: text", "Do.\n#### More\n- cron: text"),
    "a deeper heading of its own": ("#### Only\ntext", "#### Only\ntext"),
    "another second heading": ("Do.\n## Notes\n- mode: text", "Do.\n## Notes\n- mode: text"),
    "a first heading": ("Do.\n# Title\nmore", "Do.\n# Title\nmore"),
    "an underlined heading": ("take a long look\n---\nmore", "take a long look\n---\nmore"),
    "an underlined title": ("Quick\n===\nmore", "Quick\n===\nmore"),
    "a heading in a quote": ("> ### no\n> - cron: x\n\nDo.", "> ### no\n> - cron: x\n\nDo."),
    "a heading in a list": ("- ### no\n- text", "- ### no\n- text"),
    "a heading in HTML": ("<!--\n### no\n- cron: x\n-->\nDo.", "<!--\n### no\n- cron: x\n-->\nDo."),
    "indented code": ("Do:\n\n    ### no\n    - cron: x", "Do:\n\n    ### no\n    - cron: x"),
    "a tab of code": ("Do:\n\n\t### no\n\t- cron: x", "Do:\n\n\t### no\n\t- cron: x"),
    "no space after the hashes": ("###no\nDo.", "###no\nDo."),
    "escaped hashes": ("\\### no\nDo.", "\\### no\nDo."),
    "bullets that are no fields": ("- look: at disks\n- see: memory", "- look: at disks\n- see: memory"),
    "a numbered field": ("1. cron: text\n2. mode: text", "1. cron: text\n2. mode: text"),
    "a link in a bullet": ("- https://example.com/\n- cron://x", "- https://example.com/\n- cron://x"),
    "a field without a bullet": ("cron: hourly", "cron: hourly"),
    "a field with two bullets": ("- - cron: x", "- - cron: x"),
    "a bullet of words": ("- the cron: x", "- the cron: x"),
    "text right below a field": ("- cron: 0 9 * * *\nDo it.", "Do it."),
    "a field below the text": ("Do it.\n\n- mode: long\n\nAnd more.", "Do it.\n\n\nAnd more."),
    "fields with other bullets": ("* mode: quick\n\nDo.", "Do."),
    "bullets after the fields": ("- mode: quick\n- look: here\n- and there", "- look: here\n- and there"),
    "a word like a field below the text": ("Do.\n- node: web1", "Do.\n- node: web1"),
    "a table": ("| a | b |\n|---|---|\n| ### | - cron: x |", "| a | b |\n|---|---|\n| ### | - cron: x |"),
    "a reference": ("[a]: /x\nDo [a].", "[a]: /x\nDo [a]."),
    "a rule": ("Do.\n\n---\n\nMore.", "Do.\n\n---\n\nMore."),
    "trailing space": ("Do.   \n\n\n", "Do."),
    "hidden characters": ("Do\u200b it\u202e.", "Do\u200b it\u202e."),
}


@pytest.mark.parametrize(("body", "prompt"), PROMPTS.values(), ids=PROMPTS)
def test_what_is_no_task_and_no_field_is_prompt(body: str, prompt: str) -> None:
    assert prompts(HEAD + "### t\n" + body) == {"t": prompt}


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.rstrip("\n"),
        lambda text: text.replace("- cron", "-\tcron").replace("- mode", "  - mode"),
        lambda text: text.replace("### Report current time", "### Report  current time ###"),
        lambda text: text.replace("## Quick Tasks", "## my QUICK ones"),
        lambda text: text.replace('"* * * * *"', "* * * * *").replace('"0 9 * * *"', "'0 9 * * *'"),
        lambda text: text.replace("name: daily-ops", "name: daily-ops # ours"),
        lambda text: text.replace("## Quick Tasks", "# Title\n\nWords for people.\n\n## Quick Tasks\n\nMore words."),
    ],
    ids=["BOM", "CRLF", "no last newline", "tabs", "closed heading", "upper case", "quotes", "comment", "words around"],
)
def test_the_same_file_in_other_clothes_says_the_same(change: object) -> None:
    assert callable(change)
    told = read(change(SEED))
    assert told.problems == ()
    plain = read(SEED)
    fields = [(t.name, t.cron_expression, t.mode, t.budget_usd, t.prompt) for t in told.tasks]
    assert fields == [(t.name, t.cron_expression, t.mode, t.budget_usd, t.prompt) for t in plain.tasks]


WHOLE = {
    "nothing": (b"", "f.md:1: no front matter"),
    "no front matter": (b"### t\nDo.", "f.md:1: no front matter"),
    "open front matter": (b"---\nname: x\n### t\n", "f.md:1: the front matter is not closed"),
    "not YAML": (b"---\nname: [\n---\n### t\nx", "f.md:"),
    "a list": (b"---\n- name\n---\n### t\nx", "f.md:2: the front matter is not a mapping"),
    "no name": (b'---\ndefault_cron: "* * * * *"\n---\n### t\nx', "f.md:2: 'name' is missing"),
    "an unknown key": (b"---\nname: x\ndefault_corn: y\n---\n### t\nx", "f.md:3: unknown key 'default_corn'; did you"),
    "a key twice": (b"---\nname: x\nname: y\n---\n### t\nx", "f.md:3:"),
    "a bad default": (b"---\nname: x\ndefault_cron: often\n---\n### t\nx", "f.md:3: default_cron:"),
    "an impossible date": (b'---\nname: x\ndefault_cron: "0 0 31 2 *"\n---\n### t\nx', "f.md:3: default_cron:"),
    "a name that is a number": (b"---\nname: 7\n---\n### t\nx", "f.md:2: name:"),
    "a name with a slash": (b"---\nname: a/b\n---\n### t\nx", "f.md:2: name:"),
    "a budget of text": (b'---\nname: x\ndefault_budget_usd: "1"\n---\n### t\nx', "f.md:3: default_budget_usd:"),
    "a budget of nothing": (b"---\nname: x\ndefault_budget_usd: 0\n---\n### t\nx", "f.md:3: default_budget_usd:"),
    "a budget without end": (b"---\nname: x\ndefault_budget_usd: .inf\n---\n### t\nx", "f.md:3:"),
    "enabled by a word": (b"---\nname: x\nenabled: yes\n---\n### t\nx", "f.md:3: enabled:"),
    "channels of text": (b"---\nname: x\nnotification_channels: ops\n---\n### t\nx", "f.md:3: notification_channels:"),
    "an object": (b"---\nname: !!python/object:os.system x\n---\n### t\nx", "f.md:2:"),
    "an alias bomb": (
        b"---\nname: x\na: &a [1,1,1,1,1,1,1,1,1]\n"
        + b"".join(b"%c: &%c [%s]\n" % (c, c, b",".join([b"*%c" % (c - 1)] * 9)) for c in range(98, 108))
        + b"---\n### t\nx",
        "f.md:",
    ),
    "depth": (b"---\nname: " + b"[" * 5000 + b"\n---\n### t\nx", "f.md:"),
    "half a character": (b'---\nname: "\\ud800"\n---\n### t\nx', "f.md:2: not valid YAML"),
    "half a character in a channel": (
        b'---\nname: x\nnotification_channels: ["\\ud800"]\n---\n### t\nx',
        "f.md:3: not valid YAML",
    ),
    "half a character in a key": (b'---\nname: x\n"\\ud800": 1\n---\n### t\nx', "f.md:3:"),
    "a line end in a channel": (
        b'---\nname: x\nnotification_channels: ["a\\nb"]\n---\n### t\nx',
        "f.md:3: notification_channels:",
    ),
    "a NUL written otherwise": (b'---\nname: x\ndescription: "\\0"\n---\n### t\nx', "f.md:3: description:"),
    "a NUL in the head": (b"---\nname: x\0\n---\n### t\nx", "f.md:2: holds a NUL character"),
    "a NUL in the text": (HEAD.encode() + b"### t\nx\0", "f.md:6: holds a NUL character"),
    "other bytes": (HEAD.encode() + b"### t\n\xff", "f.md:6: not UTF-8 text"),
    "too much": (HEAD.encode() + b"x" * MAX_BYTES, "f.md:1: larger than 256 KiB"),
}


@pytest.mark.parametrize(("data", "said"), WHOLE.values(), ids=WHOLE)
def test_a_file_that_cannot_be_read_has_no_task_and_says_why(data: bytes, said: str) -> None:
    file = read(data)
    assert file.tasks == ()
    assert file.problems[0].startswith(said)


def test_everything_that_is_wrong_with_a_head_is_said_at_once() -> None:
    file = read(b"---\nnmae: x\nenabled: 3\n---\n### t\nx")
    assert [p.split(" ", 1)[0] for p in file.problems] == ["f.md:2:", "f.md:3:", "f.md:2:"]


ALONE = {
    "an invalid cron": ("- cron: often\nx", "f.md:8: cron:"),
    "a cron that never fires": ("- cron: 0 0 31 2 *\nx", "f.md:8: cron:"),
    "an empty cron": ("- cron:\nx", "f.md:8: cron: no value"),
    "a mode of its own": ("- mode: qick\nx", "f.md:8: mode: 'qick' is neither quick nor long; did you mean `quick`?"),
    "a negative budget": ("- budget_usd: -1\nx", "f.md:8: budget_usd:"),
    "a budget in dollars": ("- budget_usd: $1\nx", "f.md:8: budget_usd:"),
    "a budget of Arabic digits": ("- budget_usd: \u0661\nx", "f.md:8: budget_usd:"),
    "a cap of nothing": ("- max_runs_per_day: 0\nx", "f.md:8: max_runs_per_day:"),
    "an unknown check": ("- precheck: comand ls\nx", "f.md:8: precheck: 'comand' is no kind of check; did you mean"),
    "a check of nothing": ("- precheck: command\nx", "f.md:8: precheck: command of what?"),
    "a check of no URL": ("- precheck: http ftp://x/\nx", "f.md:8: precheck:"),
    "a check of a relative file": ("- precheck: file x\nx", "f.md:8: precheck: a file is named by its absolute path"),
    "a field twice": ("- mode: long\n- mode: quick\nx", "f.md:9: mode is given twice (line 8)"),
    "a field misspelt": ("- crom: 0 9 * * *\nx", "f.md:8: unknown field 'crom'; did you mean `cron`?"),
    "a field in capitals": ("- Cron: 0 9 * * *\nx", "f.md:8: unknown field 'Cron'; did you mean `cron`?"),
    "a field below a field": ("- cron: 0 9 * * *\n  - mode: long\nx", "f.md:9: mode stands indented"),
    "no text": ("- mode: long\n", "f.md:7: task 'bad' has no text"),
    "too much text": ("x" * 20_001, "f.md:7: task 'bad' is longer than 20000 characters"),
}


@pytest.mark.parametrize(("body", "said"), ALONE.values(), ids=ALONE)
def test_a_bad_task_rejects_only_itself(body: str, said: str) -> None:
    file = read(HEAD + "### good\nDo.\n### bad\n" + body + "\n### fine\nDo.")
    assert [task.name for task in file.tasks] == ["good", "fine"]
    assert file.problems[0].startswith(said)


@pytest.mark.parametrize("title", ["", "x" * 201, "a\u202eb", "a\u200bb"], ids=["none", "long", "reversed", "hidden"])
def test_a_name_that_cannot_be_shown_is_refused(title: str) -> None:
    file = read(f"{HEAD}### {title}\nDo.")
    assert file.tasks == ()
    assert "a task's name is 1 to 200 printable characters" in file.problems[0]


def test_the_second_task_of_one_name_is_refused() -> None:
    file = read(HEAD + "### t\nOne.\n### t\nTwo.")
    assert [task.prompt for task in file.tasks] == ["One."]
    assert file.problems == ("f.md:7: task 't' exists already (line 5)",)


def test_a_task_without_any_cron_is_skipped_with_a_warning() -> None:
    file = read("---\nname: x\n---\n### t\nDo.\n### u\n- cron: 0 9 * * *\nDo.")
    assert [task.name for task in file.tasks] == ["u"]
    assert file.problems[0].startswith("f.md:4: task 't' is skipped: it has no cron")


def test_a_file_without_a_task_says_so() -> None:
    assert read(HEAD + "## Quick\nwords").problems[0].startswith("f.md:5: no task")


def test_the_mode_is_that_of_the_heading_above() -> None:
    body = "### a\nx\n## Long-running\n### b\nx\n## Belongings\n### c\nx\n## Quick\n### d\nx\n### e\n- mode: long\nx"
    modes = {task.name: str(task.mode) for task in read(HEAD + body).tasks}
    assert modes == {"a": "quick", "b": "long", "c": "long", "d": "quick", "e": "long"}


def test_what_is_too_many_is_left_out_and_said() -> None:
    file = read(HEAD + "".join(f"### t{n}\nDo.\n" for n in range(MAX_TASKS + 5)))
    assert len(file.tasks) == MAX_TASKS
    assert f"more than {MAX_TASKS} tasks" in file.problems[0]
    wrong = read(HEAD + "".join(f"### t{n}\n" for n in range(MAX_TASKS)))
    assert (len(wrong.problems), wrong.problems[-1]) == (MAX_PROBLEMS + 1, "f.md: and 150 problems more")


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "unit",
    [">", "- ", "[", "### a\n", "- a\n", "`", "```\n", "<a ", "[a]: b\n", "> - ", "\t", "- cron: x\n", "*", "a\n---\n"],
)
def test_a_file_made_to_be_slow_or_deep_is_read_in_time(unit: str) -> None:
    text = HEAD + "### t\nDo.\n\n" + unit * ((MAX_BYTES - 200) // len(unit.encode()))
    assert read(text).group in ("ops", "")
