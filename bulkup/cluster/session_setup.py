"""What a worker needs to know of a run: the first message of the coordinator. It holds the credentials.

They go to the worker in the body of a message, under Dask's TLS, and are secret types again there.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any

from bulkup.cluster.cluster_options import ClusterOptions
from bulkup.cluster.sealed_body import SealedBody
from bulkup.config.secret_source import SecretSource
from bulkup.helpers.quick_dataclass import dataclass
from bulkup.helpers.secrets import Secret
from bulkup.model.files import Source
from bulkup.pipeline import PipelineOptions, Tunables
from bulkup.transport import TransportOptions


@dataclass(frozen=True, slots=True)
class SessionSetup:
    """The settings of a run, resolved. `values` are those of the provider.

    `references` name credentials that the worker fetches itself; they are not in `credentials` then.

    `journal` stands for the journal of the run and `address` for the worker: a session ends an earlier one with the
    same two. `limited` says that the coordinator grants each API call. `accepted` names the sides that have accepted a
    file already, on any worker.
    """

    run: str
    epoch: int
    journal: str
    address: str
    provider: str
    base_url: str
    credentials: Mapping[str, Secret]
    values: Mapping[str, Any]
    transport: TransportOptions
    options: PipelineOptions
    tunables: Tunables
    cluster: ClusterOptions
    sources: Sequence[Source]
    references: Mapping[str, SecretSource] = field(default_factory=dict)
    limited: bool = False
    accepted: tuple[str, ...] = ()

    def sealed(self) -> SealedBody:
        """Return the body of the message. Raises TypeError for values that cannot leave this process."""
        buffer = io.BytesIO()
        _Pickler(buffer, protocol=pickle.HIGHEST_PROTOCOL).dump(self)
        return SealedBody(buffer.getvalue())

    @staticmethod
    def opened(body: SealedBody) -> SessionSetup:
        """Return the set-up of a body."""
        setup = pickle.loads(body.content)  # noqa: S301  # Dask's peers may run any code anyway
        assert isinstance(setup, SessionSetup)
        return setup


class _Pickler(pickle.Pickler):
    """Writes secrets in the clear, which they refuse to any other pickler."""

    def reducer_override(self, value: Any) -> Any:
        return (type(value), (value.reveal(),)) if isinstance(value, Secret) else NotImplemented
