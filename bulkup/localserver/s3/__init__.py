"""The store behind the upload URLs: objects, signatures, PUTs and form POSTs (docs/contracts.md section 5)."""
