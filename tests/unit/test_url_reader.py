"""A URL is read alike on its own and after other URLs of the same answer."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from bulkup.helpers.secrets import SecretUrl
from bulkup.model.http import ApiAnswer
from bulkup.model.object_names import object_of
from bulkup.model.problems import ProblemError
from bulkup.model.tickets import Ticket
from bulkup.providers.answer_parsing import lease_of_url, takes_content_md5, upload_url
from bulkup.providers.url_reader import UploadUrl, UrlReader

ANSWER = ApiAnswer(200, {"date": "Fri, 02 Jan 2026 03:04:05 GMT"}, b"", 1_000.0)
DATE = "X-Amz-Date=20260102T030405Z"
USUAL = f"?X-Amz-Algorithm=AWS4-HMAC-SHA256&{DATE}&X-Amz-Expires=900&X-Amz-SignedHeaders=host&X-Amz-Signature="

origins = st.sampled_from(["https://s.example", "http://s.example", "https://u@s.example", "https://s.example:0", "x"])
paths = st.sampled_from(["/a", "/a/b=c", "/a&X-Amz-Signature=", "", "/?", "/a#b"])
queries = st.sampled_from(
    [USUAL, f"?{DATE}&X-Amz-Signature=", "?X-Amz-Signature=", "?Expires=5&Signature=", "?a=b", ""]
)
ends = st.sampled_from(
    ["ab", "cd", "", "a&X-Amz-Expires=5", "a&b", "a#b=c", "a b", "a\n", "é", "a&Expires=7", "x" * 9000]
)
urls = st.builds("{}{}{}{}".format, origins, paths, queries, ends)


def alone(text: str) -> UploadUrl | str:
    """Return what the functions of `answer_parsing` say about a URL."""
    try:
        url = upload_url(text, "https://api.example", "Example")
    except ProblemError as error:
        return error.problem.message
    return UploadUrl(url, lease_of_url(url, ANSWER), takes_content_md5(url))


def read(reader: UrlReader, text: str) -> UploadUrl | str:
    try:
        return reader.read(text)
    except ProblemError as error:
        return error.problem.message


@given(st.lists(urls, min_size=1, max_size=6))
@example([f"https://s.example/a{USUAL}ab", f"https://s.example/b{USUAL}cd", f"https://s.example/b{USUAL}c d"])
@example([f"https://s.example/a{USUAL}ab", f"http://s.example/a{USUAL}ab"])
def test_earlier_urls_change_nothing(texts: list[str]) -> None:
    reader = UrlReader(ANSWER, "https://api.example", "Example")
    assert [read(reader, text) for text in texts] == [alone(text) for text in texts]


def test_the_usual_urls_of_an_answer() -> None:
    """They state their end, and a request to them may have a Content-MD5."""
    reader = UrlReader(ANSWER, "https://api.example", "Example")
    for number in range(3):
        text = f"https://s.example/{number}{USUAL}{number:064}"
        assert reader.read(text) == UploadUrl(SecretUrl(text), 1_900.0, content_md5=True)


def test_the_object_of_a_url_does_not_depend_on_its_signature() -> None:
    one, two = (object_of(Ticket(SecretUrl(f"https://s.example/k{USUAL}{end}"), "id")) for end in ("ab", "cd"))
    assert one == two == "https://s.example:/k?"
    named = object_of(Ticket(SecretUrl(f"https://s.example/k{USUAL}ab&versionId=3"), "id"))
    assert named != one
