"""The embedded server's own API, for `--provider local`."""
