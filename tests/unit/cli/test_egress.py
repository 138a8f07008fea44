from __future__ import annotations

from akili_cli.cli.egress import redactor
from akili_cli.cli.opening import start


def test_every_start_of_this_process_shares_one_filter() -> None:
    assert start().redactor is start().redactor is redactor
