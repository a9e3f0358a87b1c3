"""Move UGC (docs/contracts.md section 2)."""
