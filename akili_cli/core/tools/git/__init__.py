"""What a git command may be asked, and what a repository may not make it do."""

from __future__ import annotations
