"""The address of a bucket, as botocore finds it."""

from __future__ import annotations

import datetime as dt
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

import botocore.auth
import pytest
from botocore.config import Config
from botocore.session import Session
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bulkup.helpers.secrets import Secret
from bulkup.providers.s3.endpoint import Addressing, BucketAddress
from bulkup.providers.s3.signing import AccessKeys, UrlSigner

NOW = 1_700_000_000
AMAZON = "https://s3.eu-west-1.amazonaws.com"


def client_of(endpoint: str, region: str, style: str, token: str | None) -> Any:
    if (endpoint, style) == (AMAZON, "auto"):
        style = "virtual"  # with "auto", botocore makes URLs for the host of all regions
    session = Session(profile=None)
    config = Config(signature_version="s3v4", s3={"addressing_style": style})
    given = {"aws_access_key_id": "AKIA", "aws_secret_access_key": "s3cret", "aws_session_token": token}
    elsewhere = {} if endpoint == AMAZON else {"endpoint_url": endpoint}
    return session.create_client("s3", region_name=region, config=config, **given, **elsewhere)


CLIENTS = {
    (endpoint, style, token): client_of(endpoint, "eu-west-1", style, token)
    for endpoint in (AMAZON, "http://127.0.0.1:7480", "https://objects.example")
    for style in ("auto", "path", "virtual")
    for token in (None, "t/o+k==")
}


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(sorted(CLIENTS, key=str)),
    st.sampled_from(["bucket", "my-bucket-7", "with.dots"]),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40),
    st.fixed_dictionaries({}, optional={"StorageClass": st.just("GLACIER"), "ContentMD5": st.just("bQ==")}),
)
def test_a_presigned_url_equals_that_of_botocores_client(
    which: tuple[str, Addressing, str | None], bucket: str, key: str, parameters: dict[str, str]
) -> None:
    endpoint, style, token = which
    if key.startswith("/") or any(part in ("", ".", "..") for part in key.split("/")):
        return  # no file gets such a key
    if (endpoint, style, bucket) == ("http://127.0.0.1:7480", "virtual", "with.dots"):
        return  # botocore's URL has an address below a name
    # Where awscrt is installed, botocore signs with it, at a time of its own.
    by_python = {"s3v4-query": botocore.auth.S3SigV4QueryAuth}
    with (
        patch.dict(botocore.auth.AUTH_TYPE_MAPS, by_python),
        patch.object(botocore.auth, "get_current_datetime", lambda: dt.datetime.fromtimestamp(NOW, dt.UTC)),
    ):
        params = {"Bucket": bucket, "Key": key, **parameters}
        theirs = CLIENTS[which].generate_presigned_url("put_object", params, ExpiresIn=900)
    names = {"StorageClass": "x-amz-storage-class", "ContentMD5": "content-md5"}
    headers = {names[name]: value for name, value in parameters.items()}
    address = BucketAddress.of(endpoint, bucket, "eu-west-1", style)
    keys = AccessKeys(Secret("AKIA"), Secret("s3cret"), Secret(token) if token else None)
    ours = UrlSigner(keys, address.target, 900).sign("PUT", address.path_of(key), NOW, headers).reveal()
    assert urlsplit(ours)[:3] == urlsplit(theirs)[:3]
    assert sorted(urlsplit(ours).query.split("&")) == sorted(urlsplit(theirs).query.split("&"))


@pytest.mark.parametrize(
    ("endpoint", "bucket", "style", "host", "path"),
    [
        (AMAZON, "b-1", "auto", "b-1.s3.eu-west-1.amazonaws.com", "/"),
        (AMAZON, "b.1", "auto", "s3.eu-west-1.amazonaws.com", "/b.1/"),
        (AMAZON, "Old_Name", "auto", "s3.eu-west-1.amazonaws.com", "/Old_Name/"),
        (AMAZON, "b-1", "path", "s3.eu-west-1.amazonaws.com", "/b-1/"),
        ("https://s3.cn-north-1.amazonaws.com.cn", "b-1", "auto", "b-1.s3.cn-north-1.amazonaws.com.cn", "/"),
        ("https://notamazonaws.com", "b-1", "auto", "notamazonaws.com", "/b-1/"),
        ("https://r2.example", "b-1", "virtual", "b-1.r2.example", "/"),
        ("http://127.0.0.1:9000/s3", "b-1", "auto", "127.0.0.1:9000", "/s3/b-1/"),
    ],
)
def test_host_and_path(endpoint: str, bucket: str, style: Addressing, host: str, path: str) -> None:
    address = BucketAddress.of(endpoint, bucket, "r", style)
    assert (address.target.host, address.path, address.path_of("a b/ü")) == (host, path, f"{path}a%20b/%C3%BC")
