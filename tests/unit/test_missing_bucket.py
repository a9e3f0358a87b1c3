"""The name of a bucket that does not exist."""

from __future__ import annotations

import pytest

from bulkup.helpers.secrets import SecretUrl
from bulkup.model.http import StorageAnswer
from bulkup.model.problems import Problem, ProblemKind
from bulkup.pipeline.policy.common_refusals import alike
from bulkup.pipeline.send.missing_bucket import name_bucket

PROBLEM = Problem(ProblemKind.REFUSED, "storage answered 404 NoSuchBucket")


def named(body: str, url: str) -> str:
    """Return the message. However the files differ, it has the same meaning for all."""
    error = f"<Error><Code>NoSuchBucket</Code>{body}</Error>".encode()
    messages = [
        name_bucket(PROBLEM, StorageAnswer(404, {}, error), SecretUrl(f"{url}{key}?Signature=secret")).message
        for key in ("0a/b.mp4", "1c/d.mp4")
    ]
    assert alike(messages[0]) == alike(messages[1])
    assert "secret" not in messages[0]
    return messages[0].removeprefix(PROBLEM.message)


def test_the_name_in_the_answer_is_used() -> None:
    assert named("<BucketName>media</BucketName>", "https://s.example/") == " (the bucket is 'media')"


@pytest.mark.parametrize(
    ("url", "beginning"),
    [
        ("https://s.example/media/", "https://s.example/media/"),
        ("https://media.s.example/", "https://media.s.example/0a/"),
        ("http://[::1]:9000/media/", "http://[::1]:9000/media/"),
    ],
)
def test_otherwise_the_beginning_of_the_url_has_it(url: str, beginning: str) -> None:
    assert named("", url) == f' (the URL begins with "{beginning}")'


def test_a_key_at_the_root_is_not_named() -> None:
    answer = StorageAnswer(404, {}, b"<Code>NoSuchBucket</Code>")
    message = name_bucket(PROBLEM, answer, SecretUrl("https://media.s.example/0a.mp4?Signature=1")).message
    assert message.endswith('(the URL begins with "https://media.s.example/")')


def test_other_problems_stay() -> None:
    answer = StorageAnswer(404, {}, b"<Error><Code>NoSuchKey</Code><BucketName>media</BucketName></Error>")
    assert name_bucket(PROBLEM, answer, SecretUrl("https://s.example/media/a")) is PROBLEM
