"""What is out of the ordinary in the records of this node: errors, spending, refusals, quick approvals."""

from __future__ import annotations
