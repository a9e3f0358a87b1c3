"""The API of `--provider local`."""
