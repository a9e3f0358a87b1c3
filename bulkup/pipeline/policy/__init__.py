"""Decisions about problems: retries, host gates, errors that end the run, and the redaction of secrets."""
