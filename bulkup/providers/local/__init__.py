"""The adapter of the embedded server's own API, for `--provider local`. The server is in `bulkup.localserver`."""
