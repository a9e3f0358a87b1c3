"""The declarations of the providers: name, public address, credentials and settings of each.

A new provider is declared here. Its adapter is in `bulkup.providers`, which configuration may not import.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from bulkup.helpers.quick_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Regions:
    """The public addresses of a service with one for each region. `{region}` stands for its name.

    `identity` is the address of the service that issues tokens there, None for a service without one. `default` is the
    region if none is named. `variables` are those in which the service's own tools find it, the first one first.
    """

    service: str
    identity: str | None
    default: str
    variables: tuple[str, ...] = ()

    def named_by(self, base_url: str | None) -> str | None:
        """Return the region in a public address of the service, None for any other address."""
        before, after = (re.escape(part) for part in self.service.split("://")[1].split("{region}"))
        match = re.fullmatch(f"https?://{before}([a-z0-9-]+){after}(?:[:/].*)?", base_url or "")
        return match[1] if match else None


@dataclass(frozen=True, slots=True)
class Extra:
    """An extra of the package that adds something to a provider: its name, a module of it, and what it adds."""

    name: str
    module: str
    adds: str


@dataclass(frozen=True, slots=True)
class ProviderDeclaration:
    """The public address of one service, and the settings that it reads.

    `base_url` is its public root, None if there is none. `credentials` are sets of secrets, of which one set is enough,
    the preferred one first. `optional_secrets` belong to the first set. `settings` are the other settings that the
    provider reads. It needs all of `required`, and at least one of each tuple in `any_of`. With `places`, two files
    may be mapped to the same place at the service, which a scan of the whole tree detects. `regions` has the addresses
    of a service that has regions. Its provider reads the settings `region` and `iam_url` as they apply. Without
    `has_api` the provider makes its tickets itself, so it needs no `base_url`. With `described`, the service is
    described in the setting `http`, which names further settings and secrets. Some uses of the provider need the
    `extra`. `about` is the line of `bulkup provider list`.
    """

    base_url: str | None
    credentials: tuple[tuple[str, ...], ...] = ((),)
    optional_secrets: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    any_of: tuple[tuple[str, ...], ...] = ()
    places: bool = False
    regions: Regions | None = None
    has_api: bool = True
    described: bool = False
    extra: Extra | None = None
    about: str = ""


LOCAL = "local"  # the embedded server, started for the run on its own port
METASTUDIO = "metastudio"
XVID = "xvid"
S3 = "s3"
URLS = "urls"
GIT_LFS = "git-lfs"
METASTUDIO_REGION_NAMES = ("cn-north-4", "cn-east-3", "ap-southeast-3")
HTTP = "http"  # a service that the profile describes

_METASTUDIO_REGIONS = Regions(
    "https://metastudio.{region}.myhuaweicloud.com", "https://iam.{region}.myhuaweicloud.com", default="cn-north-4"
)
_S3_REGIONS = Regions(
    "https://s3.{region}.amazonaws.com", None, default="us-east-1", variables=("AWS_REGION", "AWS_DEFAULT_REGION")
)

PROVIDER_DECLARATIONS: Mapping[str, ProviderDeclaration] = {
    "magic-hour": ProviderDeclaration(
        "https://api.magichour.ai",
        (("token",),),
        settings=("extensions",),
        about="Magic Hour: videos, sounds and images",
    ),
    "move-ugc": ProviderDeclaration("https://api.move.ai", (("api_key",),), about="Move AI: videos for motion capture"),
    METASTUDIO: ProviderDeclaration(
        _METASTUDIO_REGIONS.service.format(region=_METASTUDIO_REGIONS.default),
        (("access_key", "secret_key"), ("auth_token",), ("iam_user", "iam_domain", "iam_password")),
        optional_secrets=("security_token",),
        settings=(
            "region",
            "project_id",
            "asset_id",
            "asset_file_category",
            "asset_type",
            "assets",
            "asset_map",
            "app_user_id",
            "iam_url",
            "confirm",
        ),
        required=("project_id",),
        any_of=(("asset_id", "assets", "asset_map"),),
        places=True,
        regions=_METASTUDIO_REGIONS,
        about="MetaStudio of Huawei Cloud: files of assets",
    ),
    XVID: ProviderDeclaration(
        "https://api.xvid.com",
        (("token",), ("client_id", "client_secret")),
        settings=("pipeline_id", "object_key", "expires_at", "ip", "confirm"),
        required=("pipeline_id",),
        places=True,
        about="Xvid: files for a pipeline",
    ),
    S3: ProviderDeclaration(
        _S3_REGIONS.service.format(region=_S3_REGIONS.default),
        (("access_key", "secret_key"), ()),  # without keys, those of botocore's search
        optional_secrets=("security_token",),
        settings=(
            "region",
            "bucket",
            "key",
            "addressing",
            "aws_profile",
            "url_lifetime",
            "multipart_from",
            "part_size",
            "storage_class",
            "acl",
            "sse",
            "sse_kms_key",
            "checksum_algorithm",
            "tags",
            "metadata",
            "content_types",
            "if_none_match",
            "skip_existing",
        ),
        required=("bucket",),
        places=True,
        regions=_S3_REGIONS,
        extra=Extra("s3", "botocore", "keys from the AWS configuration, SSO and roles"),
        about="Amazon S3, and stores with its interface",
    ),
    URLS: ProviderDeclaration(
        None, settings=("urls",), required=("urls",), has_api=False, about="upload URLs that you were given, in a list"
    ),
    HTTP: ProviderDeclaration(
        None,
        settings=("http", "confirm"),
        required=("http",),
        places=True,
        described=True,
        about="any other service, which the profile describes",
    ),
    GIT_LFS: ProviderDeclaration(
        None,  # each repository has an endpoint of its own
        (("token",), ("lfs_user", "lfs_password"), ()),  # without any, those of netrc and git
        settings=("confirm", "allowed_hosts", "ref"),
        about="Git LFS servers, such as those of GitHub, GitLab, Gitea and Hugging Face",
    ),
    LOCAL: ProviderDeclaration(None, about="a server on this machine, for trials"),
}


def region_named_by(base_url: str | None) -> str | None:
    """Return the region in a public address of a service, None for any other address."""
    regions = (declared.regions for declared in PROVIDER_DECLARATIONS.values() if declared.regions is not None)
    return next((named for one in regions if (named := one.named_by(base_url)) is not None), None)
