"""Move UGC's GraphQL API (docs/contracts.md section 2)."""
