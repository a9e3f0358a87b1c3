"""Names the bucket that storage says does not exist. Pure."""

from __future__ import annotations

import dataclasses

from bulkup.helpers.lazy_pattern import lazy_pattern
from bulkup.helpers.secrets import SecretUrl
from bulkup.model.http import StorageAnswer
from bulkup.model.problems import Problem

_CODE = lazy_pattern(rb"<Code>\s*NoSuchBucket\s*</Code>")
_NAME = lazy_pattern(rb"<BucketName>\s*([^<\s]{1,255})\s*</BucketName>")


def name_bucket(problem: Problem, answer: StorageAnswer, url: SecretUrl) -> Problem:
    """Return the problem with the bucket's name, if storage has none of that name; other problems unchanged.

    Without a name in the answer, the beginning of the URL has it: in the host, or as the first part of the path.
    """
    if not _CODE.search(answer.body):
        return problem
    name = _NAME.search(answer.body)
    where = (
        f"the bucket is {name[1].decode('utf-8', 'replace')!r}" if name else f'the URL begins with "{_beginning(url)}"'
    )
    return dataclasses.replace(problem, message=f"{problem.message} ({where})")


def _beginning(url: SecretUrl) -> str:
    """Return the origin of a URL, and the first part of its path if more parts follow."""
    first, slash, _ = str(url).split("?")[0].removeprefix(url.origin).removeprefix("/").partition("/")
    return f"{url.origin}/{first}/" if slash else f"{url.origin}/"
