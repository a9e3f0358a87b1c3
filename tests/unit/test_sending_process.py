"""A sending process: the environment that it inherits."""

from __future__ import annotations

from bulkup.pipeline.processes.sending_process import inherited


def test_the_inherited_environment_holds_no_credentials() -> None:
    kept = {"PATH": "p", "https_proxy": "x", "NO_PROXY": "y", "PYTHONPATH": "z", "SSL_CERT_FILE": "c", "LC_ALL": "C"}
    others = {"BULKUP_TOKEN": "t", "MAGIC_HOUR_API_KEY": "k", "AWS_SECRET_ACCESS_KEY": "s", "BULKUP_PROCESSES": "2"}
    assert inherited({**kept, **others}) == kept
