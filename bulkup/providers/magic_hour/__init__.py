"""The adapter of Magic Hour (docs/contracts.md section 1)."""
