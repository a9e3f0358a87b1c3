"""The adapter of Move UGC (docs/contracts.md section 2)."""
