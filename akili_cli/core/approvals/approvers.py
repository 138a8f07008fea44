"""Who may say yes to a request, and how many people must; asked inside the store's transaction."""

from __future__ import annotations

from dataclasses import dataclass

from akili_cli.core.approvals.model import Approval
from akili_cli.core.approvals.settings import ApprovalSettings
from akili_cli.domain.calls import Principal, Source
from akili_cli.domain.errors import PolicyDeniedError
from akili_cli.domain.risk import Risk, parse_risk

LOCAL_SOURCES = frozenset({Source.CLI, Source.REPL})


@dataclass(frozen=True, slots=True)
class Approvers:
    """The rules of ``approval.four_eyes`` and ``approval.critical_quorum``."""

    settings: ApprovalSettings

    def check(self, approval: Approval, by: Principal) -> None:
        """Raise ``PolicyDeniedError`` when this person may not say yes.

        Whoever asked for a high or critical call rules on it only at the terminal it came from.
        """
        local = approval.source in LOCAL_SOURCES and by.source in LOCAL_SOURCES
        grave = parse_risk(approval.risk) >= Risk.HIGH
        if self.settings.four_eyes and grave and not local and by.user == approval.user:
            raise PolicyDeniedError(
                f"{by.user} asked for it and may not approve it (rule approval.four_eyes)",
                hint="somebody else must approve requests of high and critical risk",
            )

    def needed(self, approval: Approval) -> int:
        """Give how many different people must say yes."""
        return self.settings.critical_quorum if parse_risk(approval.risk) is Risk.CRITICAL else 1
