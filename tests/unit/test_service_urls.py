"""The URLs derived from region and base URL."""

from typing import Any

import pytest

from bulkup.config import (
    PROVIDER_DECLARATIONS,
    Settings,
    iam_base_url,
    public_base_url,
    region_settings,
    with_region,
)
from bulkup.config.provider_declarations import METASTUDIO
from bulkup.errors import UsageError

OWN = "https://metastudio.{}.myhuaweicloud.com"
IAM = "https://iam.{}.myhuaweicloud.com"
REGIONS: Any = PROVIDER_DECLARATIONS[METASTUDIO].regions
ELSEWHERE = "http://127.0.0.1:8080/huawei"


def metastudio(**values: Any) -> Settings:
    return Settings.model_validate({"provider": "metastudio", **values})


@pytest.mark.parametrize(
    ("given", "base_url", "region", "iam"),
    [
        ({}, OWN.format("cn-north-4"), "cn-north-4", IAM.format("cn-north-4")),
        ({"region": "cn-east-3"}, OWN.format("cn-east-3"), "cn-east-3", IAM.format("cn-east-3")),
        ({"base_url": OWN.format("cn-east-3")}, OWN.format("cn-east-3"), "cn-east-3", IAM.format("cn-east-3")),
        ({"base_url": OWN.format("eu-west-9")}, OWN.format("eu-west-9"), "eu-west-9", IAM.format("eu-west-9")),
        ({"base_url": ELSEWHERE}, ELSEWHERE, "cn-north-4", ELSEWHERE),
        ({"base_url": ELSEWHERE, "region": "ap-southeast-3"}, ELSEWHERE, "ap-southeast-3", ELSEWHERE),
        ({"iam_url": "https://iam.example"}, OWN.format("cn-north-4"), "cn-north-4", "https://iam.example"),
        ({"base_url": ELSEWHERE, "iam_url": "https://i.example"}, ELSEWHERE, "cn-north-4", "https://i.example"),
    ],
)
def test_region_and_urls_of_metastudio(given: dict[str, Any], base_url: str, region: str, iam: str) -> None:
    settings = metastudio(**given)
    assert public_base_url(settings) == base_url
    assert region_settings(settings, REGIONS) == {"region": region, "iam_url": iam}


@pytest.mark.parametrize(
    "host",
    [
        "metastudio.cn-east-3.myhuaweicloud.com.example.org",
        "xmetastudio.cn-east-3.myhuaweicloud.com",
        "metastudio.a.b.myhuaweicloud.com",
    ],
)
def test_a_host_that_resembles_the_service_gets_no_password(host: str) -> None:
    assert iam_base_url(metastudio(base_url=f"https://{host}"), REGIONS) == f"https://{host}"


@pytest.mark.parametrize("base_url", [None, OWN.format("cn-east-3"), "https://127.0.0.1:8080/huawei"])
def test_a_password_is_not_sent_over_plain_http_if_the_service_uses_https(base_url: str | None) -> None:
    """Independent of the present credentials, because these may change."""
    given = metastudio(base_url=base_url, iam_url="http://iam.example", access_key="a", secret_key="b")
    with pytest.raises(UsageError) as refused:
        iam_base_url(given, REGIONS)
    assert "iam_url" in refused.value.message
    assert "http://iam.example" in refused.value.message
    assert f"base_url, which is {public_base_url(given)}" in refused.value.message
    assert "https" in refused.value.hint


def test_plain_http_is_allowed_if_the_service_uses_it_too() -> None:
    assert iam_base_url(metastudio(base_url=ELSEWHERE, iam_url="http://iam.example"), REGIONS) == "http://iam.example"


def test_only_metastudio_and_s3_use_the_region() -> None:
    assert public_base_url(Settings(provider="s3", region="eu-west-1")) == "https://s3.eu-west-1.amazonaws.com"
    for name, provider in PROVIDER_DECLARATIONS.items():
        if provider.regions is None:
            settings = Settings(provider=name, region="cn-east-3")
            assert public_base_url(settings) == provider.base_url


def test_without_a_provider_the_url_is_the_given_one_or_none() -> None:
    assert public_base_url(Settings(region="cn-east-3")) is None
    assert public_base_url(Settings(base_url=ELSEWHERE)) == ELSEWHERE


AWS = "https://s3.{}.amazonaws.com"


@pytest.mark.parametrize(
    ("environ", "given", "region", "base_url"),
    [
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-2"}, {}, "eu-west-1", AWS.format("eu-west-1")),
        ({"AWS_DEFAULT_REGION": "eu-west-2"}, {}, "eu-west-2", AWS.format("eu-west-2")),
        ({"AWS_REGION": "", "AWS_DEFAULT_REGION": "eu-west-2"}, {}, "eu-west-2", AWS.format("eu-west-2")),
        ({"AWS_REGION": "eu-west-1"}, {"region": "us-west-2"}, "us-west-2", AWS.format("us-west-2")),
        ({"AWS_REGION": "eu-west-1"}, {"base_url": AWS.format("us-west-2")}, None, AWS.format("us-west-2")),
        ({"AWS_REGION": "eu-west-1"}, {"base_url": ELSEWHERE}, "eu-west-1", ELSEWHERE),
        ({"AWS_REGION": "eu-west-1"}, {"provider": "metastudio"}, None, OWN.format("cn-north-4")),
        ({"AWS_REGION": "eu-west-1"}, {"provider": None}, None, None),
        ({}, {}, None, AWS.format("us-east-1")),
    ],
)
def test_the_region_of_the_aws_tools(
    environ: dict[str, str], given: dict[str, Any], region: str | None, base_url: str | None
) -> None:
    """The newer tools read AWS_REGION, botocore AWS_DEFAULT_REGION."""
    settings = with_region(Settings(**{"provider": "s3", **given}), environ)
    assert settings.region == region
    assert public_base_url(settings) == base_url


def test_a_region_variable_with_an_invalid_value() -> None:
    with pytest.raises(UsageError, match="AWS_REGION is not the name of a region"):
        with_region(Settings(provider="s3"), {"AWS_REGION": "eu west"})
