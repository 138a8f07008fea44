from __future__ import annotations

from akili_cli.core.agent.exits import DETAILED_EXIT_CODES, EXIT_CODES
from akili_cli.domain.calls import Status


def test_every_status_has_an_exit_code_and_only_ok_is_zero() -> None:
    for table in (EXIT_CODES, DETAILED_EXIT_CODES):
        assert set(table) == set(Status)
        zero = {status for status, code in table.items() if code == 0}
        assert zero <= {Status.OK, Status("planned") if "planned" in set(Status) else Status.OK}


def test_the_detailed_codes_are_told_apart() -> None:
    chosen = (Status.APPROVAL_REQUIRED, Status.DENIED, Status.BUDGET_EXCEEDED, Status.TIMEOUT)
    assert [DETAILED_EXIT_CODES[status] for status in chosen] == [10, 11, 12, 13]
