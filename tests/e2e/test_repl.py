from __future__ import annotations

import re
import stat
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pexpect
import pytest

from tests.e2e.conftest import PROMPT, Akili

Stub = Callable[[Sequence[Mapping[str, Any]]], str]
QUESTION = "words for the model] "
CTRL_C, CTRL_D = "\x03", "\x04"


def write(path: str = "out.txt", content: str = "written\n", text: str = "I will write it.") -> dict[str, Any]:
    call = {"name": "file_write", "arguments": {"path": path, "content": content}}
    return {"text": text, "tool_calls": [call]}


def leave(child: pexpect.spawn[str]) -> int | None:
    child.expect_exact(PROMPT)
    child.send(CTRL_D)
    child.expect(pexpect.EOF)
    child.close()
    return child.exitstatus


def asked(akili: Akili, stub_model: Stub, *replies: Mapping[str, Any], message: str = "write it") -> pexpect.spawn[str]:
    akili.use_model(stub_model([*replies, {"text": "All done here.", "repeat": True}]))
    child = akili.prompt()
    child.send(f"{message}\r")
    return child


def exported(akili: Akili, child: pexpect.spawn[str]) -> str:
    child.expect_exact(PROMPT)
    child.send("/export talk.md\r")
    child.expect_exact("written:")
    return (akili.cwd / "talk.md").read_text("utf-8")


def test_the_runbooks_answer_a_question_and_ctrl_d_leaves_with_zero(akili: Akili) -> None:
    child = akili.prompt()
    child.send("Is this host healthy?\r")
    child.expect_exact("shell_exec")
    child.expect_exact("No language model was used")
    assert leave(child) == 0


@pytest.mark.parametrize("words", ["exit", "quit", "/exit"])
def test_words_leave_with_zero(akili: Akili, words: str) -> None:
    child = akili.prompt()
    child.send(f"{words}\r")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


def test_ctrl_c_at_an_empty_prompt_says_how_to_leave(akili: Akili) -> None:
    child = akili.prompt()
    child.send(CTRL_C)
    child.expect_exact("to leave: Ctrl-D")
    assert leave(child) == 0


def test_a_yes_writes_the_file_once_and_the_run_goes_on(akili: Akili, stub_model: Stub) -> None:
    child = asked(akili, stub_model, write())
    child.expect_exact("file_write   risk medium")
    child.expect_exact(QUESTION)
    assert not (akili.cwd / "out.txt").exists()
    child.send("y\r")
    child.expect_exact("All done here.")
    assert (akili.cwd / "out.txt").read_text() == "written\n"
    assert "created" in exported(akili, child)
    assert leave(child) == 0


@pytest.mark.parametrize(
    ("reply", "told"),
    [("n\r", "cli-user said no"), ("\r", "cli-user said no"), ("use /tmp\r", "said no: use /tmp"), (CTRL_C, "said no")],
    ids=["no", "nothing", "words", "ctrl-c"],
)
def test_anything_else_writes_nothing_and_tells_the_model(
    akili: Akili, stub_model: Stub, reply: str, told: str
) -> None:
    child = asked(akili, stub_model, write())
    child.expect_exact(QUESTION)
    child.send(reply)
    child.expect_exact("All done here.")
    assert told in exported(akili, child)
    assert not (akili.cwd / "out.txt").exists()


def test_end_of_input_at_the_question_is_a_no_even_after_a_y(akili: Akili, stub_model: Stub) -> None:
    child = asked(akili, stub_model, write())
    child.expect_exact(QUESTION)
    child.send("y" + CTRL_D)
    child.expect_exact("All done here.")
    assert not (akili.cwd / "out.txt").exists()


def test_what_was_typed_before_the_card_does_not_answer_it(akili: Akili, stub_model: Stub) -> None:
    slow = {**write(text=["I ", "will ", "write ", "it."]), "drip_s": 0.4}  # type: ignore[arg-type]  # chunks
    child = asked(akili, stub_model, slow)
    child.expect_exact("thinking")
    child.send("y\ry\r")
    child.expect_exact(QUESTION)
    child.expect([pexpect.TIMEOUT, "All done here."], timeout=1)
    assert child.match_index == 0
    assert not (akili.cwd / "out.txt").exists()
    child.send("n\r")
    child.expect_exact("All done here.")


@pytest.mark.parametrize(
    "paste", ["y\nsecond line\n", "\x1b[200~y\n\x1b[201~", "\x1b[200~y\x1b[201~\n"], ids=["lines", "marked", "word"]
)
def test_a_pasted_yes_is_not_a_yes(akili: Akili, stub_model: Stub, paste: str) -> None:
    child = asked(akili, stub_model, write())
    child.expect_exact(QUESTION)
    child.send(paste)
    child.expect_exact("pasted, not typed")
    child.expect_exact(QUESTION)
    assert not (akili.cwd / "out.txt").exists()
    child.send("y\r")
    child.expect_exact("All done here.")
    assert (akili.cwd / "out.txt").exists()


def test_a_card_longer_than_the_screen_needs_the_whole_word(akili: Akili, stub_model: Stub) -> None:
    child = asked(akili, stub_model, write(content="line\n" * 60))
    child.expect_exact("type approve to approve")
    child.send("y\r")
    child.expect_exact("type the whole word")
    assert not (akili.cwd / "out.txt").exists()
    child.expect_exact(QUESTION)
    child.send("approve\r")
    child.expect_exact("All done here.")
    assert (akili.cwd / "out.txt").read_text() == "line\n" * 60


def test_a_write_over_a_file_is_shown_as_its_change(akili: Akili, stub_model: Stub) -> None:
    (akili.cwd / "out.txt").write_text("old\nkept\n")
    child = asked(akili, stub_model, write(content="new\nkept\n"))
    child.expect_exact("as a change of the file")
    child.expect_exact("-old")
    child.expect_exact("+new")
    child.expect_exact(QUESTION)
    child.send("n\r")


def test_one_shot_query_asks_at_the_terminal_too(akili: Akili, stub_model: Stub) -> None:
    akili.use_model(stub_model([write(), {"text": "All done here."}]))
    child = akili.terminal("query", "-m", "write it")
    child.expect_exact(QUESTION)
    child.send("y\r")
    child.expect_exact("All done here.")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    assert (akili.cwd / "out.txt").exists()


def test_ctrl_c_at_the_question_of_a_one_shot_query_denies_and_ends_with_two(akili: Akili, stub_model: Stub) -> None:
    akili.use_model(stub_model([write(), {"text": "All done here."}]))
    child = akili.terminal("query", "-m", "write it")
    child.expect_exact(QUESTION)
    child.send(CTRL_C)
    child.expect_exact("All done here.")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 2
    assert not (akili.cwd / "out.txt").exists()


def test_ctrl_c_stops_a_slow_answer_only_and_the_next_message_is_answered(akili: Akili, stub_model: Stub) -> None:
    child = asked(akili, stub_model, {"text": "It begins.\n\nAnd goes on\n", "fault": "hang_midway"}, message="slow")
    child.expect_exact("It begins.")
    child.send(CTRL_C)
    child.expect_exact("stopped")
    child.expect_exact(PROMPT)
    child.send("again\r")
    child.expect_exact("All done here.")
    assert leave(child) == 0


def test_sigterm_at_the_prompt_ends_with_143(akili: Akili) -> None:
    child = akili.prompt()
    child.kill(15)
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 143


def test_a_held_call_is_approved_from_the_prompt_and_runs_once(akili: Akili, stub_model: Stub) -> None:
    akili.use_model(stub_model([write(), {"text": "All done here.", "repeat": True}]))
    held = akili.run("query", "-m", "write it")
    assert held.returncode == 2
    found = re.search(r"akili approvals show ([0-9a-f]{8})", held.stderr)
    assert found is not None
    child = akili.terminal()
    child.expect_exact("1 call waiting for approval")
    child.send("/approvals\r")
    child.expect_exact(found[1])
    child.expect_exact(PROMPT)
    child.send(f"/approve {found[1]}\r")
    child.expect_exact(QUESTION)
    child.send("y\r")
    child.expect_exact("created")
    assert (akili.cwd / "out.txt").read_text() == "written\n"
    child.expect_exact(PROMPT)
    child.send(f"/approve {found[1]}\r")
    child.expect_exact("already consumed")
    assert leave(child) == 0


def test_the_status_line_names_role_mode_model_and_money(akili: Akili, stub_model: Stub) -> None:
    akili.use_model(stub_model([]))
    child = akili.terminal(PROMPT_TOOLKIT_NO_CPR="")
    child.expect_exact("\x1b[6n")
    child.send("\x1b[5;1R")
    child.expect(r"operator \| ask \| stub/m \| \$10.00 left")


def test_read_only_mode_refuses_a_write_without_asking(akili: Akili, stub_model: Stub) -> None:
    akili.use_model(stub_model([write(), {"text": "All done here.", "repeat": True}]))
    child = akili.prompt()
    child.send("/mode read-only\r")
    child.expect_exact("mode read-only")
    child.send("write it\r")
    child.expect_exact("denied")
    child.expect_exact("All done here.")
    assert not (akili.cwd / "out.txt").exists()


def test_commands_answer_and_an_unknown_one_names_the_nearest(akili: Akili) -> None:
    child = akili.prompt()
    for line, said in (
        ("/help", "Leave."),
        ("/tools", "web_fetch"),
        ("/runbooks", "service-health-check"),
        ("/policy rm -rf /", "destructive-commands"),
        ("/context", "not begun"),
        ("/cost", "left"),
        ("/model", "no language model"),
        ("/hlep", "did you mean `/help`?"),
        ("/show 1", "no steps"),
        ("/run service-health-check", "Service Health Check"),
        ("/show 1", "loadavg"),
        ("/last", "Service Health Check"),
    ):
        child.send(f"{line}\r")
        child.expect_exact(said)
        child.expect_exact(PROMPT)


def test_a_backslash_goes_on_in_the_next_line_and_a_paste_is_one_message(akili: Akili, stub_model: Stub) -> None:
    child = asked(akili, stub_model, message="first\\")
    child.send("second\r")
    child.expect_exact("All done here.")
    child.expect_exact(PROMPT)
    child.send("\x1b[200~third\nfourth\x1b[201~")
    child.send("\r")
    child.expect_exact("All done here.")
    text = exported(akili, child)
    assert "first\nsecond" in text
    assert "third\nfourth" in text


def test_history_is_private_and_holds_no_secret(akili: Akili) -> None:
    secret = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    child = akili.prompt()
    child.send(f"/policy echo {secret}\r")
    child.expect_exact("nothing was run")
    leave(child)
    path = akili.workspace / "history"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "/policy echo" in path.read_text()
    assert secret not in path.read_text()


def test_export_is_private_and_refuses_to_overwrite(akili: Akili, stub_model: Stub) -> None:
    child = asked(akili, stub_model, message="hello")
    child.expect_exact("All done here.")
    assert "hello" in exported(akili, child)
    assert stat.S_IMODE((akili.cwd / "talk.md").stat().st_mode) == 0o600
    child.expect_exact(PROMPT)
    child.send("/export talk.md\r")
    child.expect_exact("exists and is not overwritten")


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=["no-color", "dumb"])
def test_without_colour_an_answer_is_plain_text(akili: Akili, stub_model: Stub, env: dict[str, str]) -> None:
    akili.use_model(stub_model([{"text": ["# Head\n\n", "**bold** ", "end of it\n"]}]))
    child = akili.terminal(**env)
    child.expect_exact(PROMPT)
    child.send("go\r")
    child.expect_exact("# Head\r\n\r\n**bold** end of it\r\n")
    child.expect(r"\[[^\n]*tokens[^\n]*\]\r\n")
    assert "\x1b" not in str(child.before) + str(child.after)


@pytest.mark.parametrize("given", ["x\n", ""], ids=["piped", "empty"])
def test_without_a_terminal_there_is_no_prompt_but_a_hint_and_64(akili: Akili, given: str) -> None:
    done = akili.run(given=given)
    assert done.returncode == 64
    assert "akili query -m" in done.stderr
    assert done.stdout == ""


def test_prompt_toolkit_stays_unloaded_until_a_prompt_opens(akili: Akili, tmp_path: Path) -> None:
    done = akili.run("query", "-m", "Is this host healthy?", PYTHONPROFILEIMPORTTIME="1")
    assert "prompt_toolkit" not in done.stderr
