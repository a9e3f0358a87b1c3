"""Magic Hour's API (docs/contracts.md section 1)."""
