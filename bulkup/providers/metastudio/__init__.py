"""Huawei MetaStudio (docs/contracts.md section 3)."""
