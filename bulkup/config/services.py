"""The settings that say which service takes the files, with whose account, and as what."""

from __future__ import annotations

from typing import Literal

from pydantic import ValidationInfo, field_validator

from bulkup.config import base_url as url
from bulkup.config import expiry, host_names, kinds, object_key, secret_source
from bulkup.config.assets import ONE_CATEGORY, AssetRules, Category
from bulkup.config.kinds import setting
from bulkup.config.providers import PROVIDERS, region_named_by
from bulkup.config.selection import Selection

_NO_OPTION = "There is no option for it, because a command line is visible to every user of the machine."


class Services(Selection):
    """Everything about the services' accounts and what files become there."""

    provider: str | None = setting(
        None,
        f"one of {', '.join(PROVIDERS)}",
        "The service to upload to; `local` is the embedded server. Default: not set; a run needs one, and a "
        "guess would send files to the wrong place.",
    )
    base_url: kinds.BaseUrl | None = setting(
        None,
        url.EXPECTED,
        "The service's root: scheme, host, port and an optional prefix; the provider adds its own paths. "
        "Default: the provider's public address.",
    )
    ca_file: kinds.PathText | None = setting(
        None,
        "the path of a PEM file",
        "Certificates of a private authority, trusted beside the system's own. Default: not set.",
    )
    allowed_hosts: kinds.Hosts = setting(
        (),
        host_names.EXPECTED,
        "The hosts that upload URLs may lead to; a URL for any other ends the run. A host named in full may have an "
        "address of the inside (private, loopback and the like), which a service with a public address may otherwise "
        "not name; a wildcard does not allow that. Not for `local`. Default: none, which is every host with a public "
        "address, and any host where the service's own address is not public.",
    )
    token: kinds.SecretText | None = setting(
        None,
        secret_source.EXPECTED,
        f"The key for `magic-hour`, or an access token for `xvid`. Default: not set. {_NO_OPTION}",
    )
    api_key: kinds.SecretText | None = setting(
        None,
        secret_source.EXPECTED,
        f"The key for `move-ugc`. Default: not set. {_NO_OPTION}",
    )
    region: Literal["cn-north-4", "cn-east-3", "ap-southeast-3"] | None = setting(
        None,
        "one of cn-north-4, cn-east-3, ap-southeast-3",
        "The region of `metastudio`: it decides the public addresses of the service and of its identity service. "
        "For another one set `base_url`. Default: the region that `base_url` names, else cn-north-4.",
    )
    project_id: kinds.Identifier | None = setting(
        None,
        kinds.IDENTIFIER,
        "The project of `metastudio` that files are created in. Default: not set; `metastudio` needs it.",
    )
    asset_id: kinds.Identifier | None = setting(
        None,
        kinds.IDENTIFIER,
        "The asset of `metastudio` that files belong to where neither `asset_map` nor `assets` says another. "
        "Default: not set; `metastudio` needs one of the three.",
    )
    asset_file_category: Category = setting(
        "OTHER",
        ONE_CATEGORY,
        "What a file is to its asset where neither `asset_map` nor `assets` says it. Default: `OTHER`, because any "
        "number of files may be that, while an asset has exactly one MAIN.",
    )
    assets: AssetRules = setting(
        (),
        "a list of rules, each with match, asset_id and, where it is not the profile's, asset_file_category",
        "Rules that part files among several assets of `metastudio`: `match` is a pattern in gitignore form, relative "
        "to the source, and the first rule that matches decides. Default: none.",
    )
    asset_map: kinds.PathText | None = setting(
        None,
        "the path of a .csv or .jsonl file outside the source",
        "A list that says for single files which asset of `metastudio` each goes to, and as what; stronger than "
        "`assets`. Its paths are relative to the source, which has to be one directory. Default: not set.",
    )
    app_user_id: kinds.HeaderText | None = setting(
        None,
        kinds.HEADER_TEXT,
        "The user of your application that `metastudio` counts files for (header X-App-UserId). Default: not set.",
    )
    access_key: kinds.SecretText | None = setting(
        None,
        secret_source.EXPECTED,
        f"The access key id for `metastudio`, with `secret_key`. Default: not set. {_NO_OPTION}",
    )
    secret_key: kinds.SecretText | None = setting(
        None,
        secret_source.EXPECTED,
        f"The secret access key for `metastudio`, with `access_key`. Default: not set. {_NO_OPTION}",
    )
    security_token: kinds.SecretText | None = setting(
        None,
        secret_source.EXPECTED,
        "The token that belongs to a temporary `access_key`. Default: not set, which is right for a permanent one. "
        f"{_NO_OPTION}",
    )
    auth_token: kinds.SecretText | None = setting(
        None,
        secret_source.EXPECTED,
        "A token for `metastudio` that the identity service has given out (header X-Auth-Token), in place of an "
        f"access key. It lasts 24 hours. Default: not set. {_NO_OPTION}",
    )
    iam_user: kinds.SecretText | None = setting(
        None,
        secret_source.EXPECTED,
        "The user to fetch a token for `metastudio` as, with `iam_domain` and `iam_password`, in place of an access "
        f"key. Default: not set. {_NO_OPTION}",
    )
    iam_domain: kinds.SecretText | None = setting(
        None,
        secret_source.EXPECTED,
        f"The account that `iam_user` belongs to. Default: not set. {_NO_OPTION}",
    )
    iam_password: kinds.SecretText | None = setting(
        None,
        secret_source.EXPECTED,
        f"The password of `iam_user`. Default: not set. {_NO_OPTION}",
    )
    iam_url: kinds.BaseUrl | None = setting(
        None,
        url.EXPECTED,
        "The root of the identity service that tokens for `metastudio` come from. Default: that of the region where "
        "`base_url` is the public address, else `base_url` itself.",
    )
    confirm: bool = setting(
        True,
        "true or false",
        "Make the call that closes an upload, for services that have one: `metastudio` is told that the file is "
        "complete, `xvid` to finish it, and asked until it has. Default: true, because an upload that is not closed "
        "may not be usable.",
    )
    pipeline_id: kinds.Identifier | None = setting(
        None,
        kinds.IDENTIFIER,
        "The pipeline of `xvid` that files are uploaded to. Default: not set; `xvid` needs it.",
    )
    client_id: kinds.SecretText | None = setting(
        None,
        secret_source.EXPECTED,
        "The client to fetch a token for `xvid` as, with `client_secret`, in place of `token`. Default: not set. "
        f"{_NO_OPTION}",
    )
    client_secret: kinds.SecretText | None = setting(
        None,
        secret_source.EXPECTED,
        f"The secret of `client_id`. Default: not set. {_NO_OPTION}",
    )
    object_key: kinds.ObjectKey = setting(
        "uploads/{path}",
        object_key.EXPECTED,
        "The name of a file at `xvid`. {path} is its path within the source, {name} its name, {stem} and {ext} the "
        "name's parts, {date} the UTC date of its last change as YYYY-MM-DD. Default: `uploads/{path}`, which no two "
        "files of a source share.",
    )
    expires_at: kinds.ExpiryTime | None = setting(
        None,
        expiry.EXPECTED,
        "When `xvid` deletes an upload that no job has used; a duration is counted from the making of the upload "
        "session. Default: not set, which is the service's own 7 days.",
    )

    @field_validator("provider")
    @classmethod
    def _known_provider(cls, value: str | None) -> str | None:
        if value is not None and value not in PROVIDERS:
            raise ValueError(f"expected one of {', '.join(PROVIDERS)}")
        return value

    @field_validator("region")
    @classmethod
    def _not_against_base_url(cls, value: str | None, info: ValidationInfo) -> str | None:
        named = region_named_by(info.data.get("base_url"))
        if value is not None and named is not None and value != named:
            raise ValueError(f"expected the region that base_url names, which is {named}")
        return value
