"""`bulkup doctor`: what of this machine an upload depends on. Each check returns findings, and none changes anything.

    finding       a finding, and its severity
    machine       versions, descriptors, clock, disk and journal
    source_check  the sources of a profile
    network       proxy, name, connection and certificate of a service

Whether the service accepts the credentials belongs to `online_check`, and mistakes in a profile to `bulkup.config`.
"""

from __future__ import annotations

from bulkup.api.doctor.finding import Finding, Severity
from bulkup.api.doctor.machine import examine_journal, examine_machine
from bulkup.api.doctor.network import examine_network
from bulkup.api.doctor.source_check import examine_sources

__all__ = ["Finding", "Severity", "examine_journal", "examine_machine", "examine_network", "examine_sources"]
