"""Xvid MediaHub (docs/contracts.md section 4)."""
