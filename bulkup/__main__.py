"""`python -m bulkup`."""

from __future__ import annotations

from bulkup.cli import main

main()
