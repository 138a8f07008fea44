"""Who may rule on a request, and how many people must; asked inside the store's transaction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from akili_cli.core.approvals.model import Approval
from akili_cli.core.approvals.settings import ApprovalSettings
from akili_cli.domain.calls import Principal, Source
from akili_cli.domain.errors import PolicyDeniedError
from akili_cli.domain.risk import Risk, parse_risk

LOCAL_SOURCES = frozenset({Source.CLI, Source.REPL})
APPROVE_PERMISSION = "approve"


@dataclass(frozen=True, slots=True)
class Power:
    """What a role lets somebody rule on from elsewhere than the terminal: up to ``highest``, or nothing."""

    role: str | None = None
    highest: Risk | None = None
    admin: bool = False


PowerOf = Callable[[Principal], Power]


def no_power(_by: Principal) -> Power:
    """Give nobody anything."""
    return Power()


@dataclass(frozen=True, slots=True)
class Approvers:
    """The rules of ``approval.four_eyes``, ``approval.critical_quorum``, and of roles for rulings from elsewhere."""

    settings: ApprovalSettings
    power_of: PowerOf = no_power

    def check(self, approval: Approval, by: Principal) -> None:
        """Raise ``PolicyDeniedError`` when this person may not say yes.

        Whoever asked for a high or critical call rules on it only at the terminal it came from. From elsewhere than a
        terminal a role must hold the permission ``approve`` and reach the request's risk.
        """
        local = approval.source in LOCAL_SOURCES and by.source in LOCAL_SOURCES
        grave = parse_risk(approval.risk) >= Risk.HIGH
        if self.settings.four_eyes and grave and not local and by.user == approval.user:
            raise PolicyDeniedError(
                f"{by.user} asked for it and may not approve it (rule approval.four_eyes)",
                hint="somebody else must approve requests of high and critical risk",
            )
        self._check_power(approval, by)

    def check_denial(self, approval: Approval, by: Principal) -> None:
        """Raise ``PolicyDeniedError`` when this person may not say no: who asked always may."""
        if by.user != approval.user:
            self._check_power(approval, by)

    def may_see(self, approval: Approval, by: Principal) -> bool:
        """Tell whether a request is shown to somebody: who asked, whoever may rule on it, admins."""
        if by.source in LOCAL_SOURCES or by.user == approval.user:
            return True
        power = self.power_of(by)
        return power.admin or (power.highest is not None and parse_risk(approval.risk) <= power.highest)

    def seen_risks(self, by: Principal) -> tuple[str, ...]:
        """Name the risks of other people's requests that are shown to somebody."""
        power = self.power_of(by)
        everything = power.admin or by.source in LOCAL_SOURCES
        highest = Risk.CRITICAL if everything else power.highest
        return () if highest is None else tuple(str(risk) for risk in Risk if risk <= highest)

    def needed(self, approval: Approval) -> int:
        """Give how many different people must say yes."""
        return self.settings.critical_quorum if parse_risk(approval.risk) is Risk.CRITICAL else 1

    def _check_power(self, approval: Approval, by: Principal) -> None:
        if by.source in LOCAL_SOURCES:
            return
        power = self.power_of(by)
        role = f"the role {power.role!r}" if power.role else "no role"
        if power.highest is None:
            raise PolicyDeniedError(
                f"{by.user} ({role}) lacks the permission {APPROVE_PERMISSION!r} (rule approval.permission)",
                hint=f"add {APPROVE_PERMISSION} to security.roles.{power.role or '<role>'}.permissions, "
                "or rule on it with akili approvals at the terminal",
            )
        if parse_risk(approval.risk) > power.highest:
            raise PolicyDeniedError(
                f"{by.user} ({role}) may rule up to {power.highest} risk and this is {approval.risk} "
                "(rule approval.max_risk_level)",
                hint="somebody whose role reaches higher must rule on it",
            )
