"""The settings of the service: its address, the account, and the properties that files have there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bulkup.config.asset_categories import wrong_category
from bulkup.config.assets import AssetRules, AssetType, Category
from bulkup.config.checked_model import check
from bulkup.config.declaration import Option, Panel, setting
from bulkup.config.provider_declarations import METASTUDIO, METASTUDIO_REGION_NAMES, region_named_by
from bulkup.config.selection import Selection
from bulkup.config.setting_types import (
    BaseUrl,
    ExpiryTime,
    Extensions,
    GitRef,
    HeaderText,
    Hosts,
    HttpTables,
    Identifier,
    IpAddress,
    ObjectKey,
    PathText,
    PluginTable,
    ProviderName,
    RegionName,
    SecretText,
)

_NO_OPTION = "There is no option for it, because every user of the machine can read a command line."


class Services(Selection):
    """The service, the account, and the properties that files have there."""

    provider: ProviderName | None = setting(
        None,
        "The service to upload to; `local` is the embedded server.",
        about_default="A run needs one, and a guess could send files to the wrong place.",
        option=Option(
            "magic-hour (needs BULKUP_TOKEN), move-ugc (BULKUP_API_KEY), metastudio (BULKUP_ACCESS_KEY, "
            "BULKUP_SECRET_KEY), xvid (BULKUP_TOKEN), s3, git-lfs, urls, http (described in a profile) or local.",
            Panel.RUN,
        ),
    )
    base_url: BaseUrl | None = setting(
        None,
        "The root of the service's API: scheme, host, port and an optional prefix. The provider adds its own paths. "
        "For `s3` it is the endpoint, without the bucket. For `git-lfs` it is the LFS endpoint of the repository, such "
        "as https://host/owner/repository.git/info/lfs.",
        about_default="The provider's public address is used. `git-lfs` has none.",
        option=Option(
            "The root of the service's API, if not its public one.", Panel.RUN, names=("--base-url", "--endpoint-url")
        ),
    )
    ca_file: PathText | None = setting(
        None,
        "Certificates of a private authority, trusted in addition to the system's own.",
        expects="the path of a PEM file",
        option=Option("PEM certificates of a private authority.", Panel.RUN),
    )
    allowed_hosts: Hosts = setting(
        (),
        "The hosts that upload URLs may point to. A URL for any other host ends the run. A host named in full may have "
        "an internal address (private, loopback and similar), even if the service's own address is public. A wildcard "
        "does not allow that. Not for `local`.",
        about_default="Every host with a public address is allowed, and any host if the service's own address is not "
        "public.",
        option=Option("A host that upload URLs may point to; may be repeated.", Panel.RUN),
    )
    token: SecretText | None = setting(
        None, f"The key for `magic-hour`, or an access token for `xvid` or `git-lfs`. {_NO_OPTION}"
    )
    api_key: SecretText | None = setting(None, f"The key for `move-ugc`. {_NO_OPTION}")
    http: HttpTables | None = setting(
        None,
        "The description of the service for `http`: its calls, and where its answers have the upload URLs. "
        "docs/providers/http.md explains the tables.",
        about_default="`http` needs it.",
    )
    plugin: PluginTable | None = setting(
        None,
        "The settings that a provider of another package has of its own. docs/plugins.md explains such providers.",
        about_default="Most providers have none.",
    )
    region: RegionName | None = setting(
        None,
        "The region of `metastudio` (cn-north-4, cn-east-3 or ap-southeast-3) or of `s3`. It decides the public "
        "address of the service. For any other region of `metastudio` set `base_url`. At `s3` it is part of every "
        "signature.",
        about_default="The region that `base_url` names is used, otherwise cn-north-4. For `s3` it is that of "
        "AWS_REGION or AWS_DEFAULT_REGION, otherwise us-east-1.",
        option=Option("metastudio: cn-north-4, cn-east-3 or ap-southeast-3; s3: any.", Panel.SERVICES, metavar="NAME"),
    )
    project_id: Identifier | None = setting(
        None,
        "The project of `metastudio` in which files are created.",
        about_default="`metastudio` needs it.",
        option=Option("metastudio: the project; required.", Panel.SERVICES),
    )
    asset_id: Identifier | None = setting(
        None,
        "The asset of `metastudio` that a file belongs to if neither `asset_map` nor `assets` names another.",
        about_default="`metastudio` needs one of the three.",
        option=Option("metastudio: the asset that files belong to.", Panel.SERVICES),
    )
    asset_file_category: Category = setting(
        "OTHER",
        "The category of a file in its asset if neither `asset_map` nor `assets` gives one.",
        about_default="An asset may have any number of these, but exactly one MAIN.",
        option=Option("metastudio: the category of files in their asset, such as MAIN.", Panel.SERVICES),
    )
    asset_type: AssetType | None = setting(
        None,
        "The type of the asset named by `asset_id`. `asset_file_category` is checked against it.",
        about_default="The service decides whether the asset can have such a file.",
        option=Option("metastudio: the type of the asset, such as PPT; checks the category.", Panel.SERVICES),
    )
    assets: AssetRules = setting(
        (),
        "Rules that distribute files over several assets of `metastudio`. `match` is a pattern in gitignore form, "
        "relative to the source, and the first rule that matches decides.",
    )
    asset_map: PathText | None = setting(
        None,
        "A list that names the asset of `metastudio` and the category for single files. It overrides `assets`. Its "
        "paths are relative to the source, which must be one directory.",
        expects="the path of a .csv or .jsonl file outside the source",
        option=Option("metastudio: a .csv or .jsonl file with the asset of each file.", Panel.SERVICES),
    )
    urls: PathText | None = setting(
        None,
        "The list of upload URLs for `urls`. Its paths are relative to the source, which must be one directory.",
        about_default="`urls` needs it.",
        expects="the path of a .csv or .jsonl file outside the source, or - for standard input",
        option=Option("urls: a .csv or .jsonl file with the upload URL of each file (- is stdin).", Panel.SERVICES),
    )
    app_user_id: HeaderText | None = setting(
        None,
        "The user of your application that `metastudio` counts files for (header X-App-UserId).",
        option=Option("metastudio: the user of your application.", Panel.SERVICES),
    )
    access_key: SecretText | None = setting(
        None, f"The access key id for `metastudio` or `s3`, with `secret_key`. {_NO_OPTION}"
    )
    secret_key: SecretText | None = setting(
        None, f"The secret access key for `metastudio` or `s3`, with `access_key`. {_NO_OPTION}"
    )
    security_token: SecretText | None = setting(
        None,
        f"The token that belongs to a temporary `access_key`. {_NO_OPTION}",
        about_default="A permanent key has none.",
    )
    auth_token: SecretText | None = setting(
        None,
        "A token for `metastudio` from the identity service (header X-Auth-Token), instead of an access key. It is "
        f"valid for 24 hours. {_NO_OPTION}",
    )
    iam_user: SecretText | None = setting(
        None,
        "The user name for fetching a token for `metastudio`, with `iam_domain` and `iam_password`, instead of an "
        f"access key. {_NO_OPTION}",
    )
    iam_domain: SecretText | None = setting(None, f"The account that `iam_user` belongs to. {_NO_OPTION}")
    iam_password: SecretText | None = setting(None, f"The password of `iam_user`. {_NO_OPTION}")
    iam_url: BaseUrl | None = setting(
        None,
        "The root of the identity service that issues tokens for `metastudio`.",
        about_default="If `base_url` is a public address, the identity service of its region is used, otherwise "
        "`base_url` itself.",
        option=Option("metastudio: the identity service, if not the public one.", Panel.SERVICES),
    )
    extensions: Extensions = setting(
        {},
        "The type that `magic-hour` gets for files with an extension. It adds to the provider's own table, or changes "
        'it: `extensions = { mpeg = "video", webm = "audio" }`. With `none`, files with the extension are left out as '
        "unsupported. The service decides whether it accepts the type.",
        about_default="The table of the service's API reference applies.",
        option=Option("magic-hour: types of further extensions, e.g. mpeg=video; may be repeated.", Panel.SERVICES),
    )
    pipeline_id: Identifier | None = setting(
        None,
        "The pipeline of `xvid` that files are uploaded to.",
        about_default="`xvid` needs it.",
        option=Option("xvid: the pipeline; required.", Panel.SERVICES),
    )
    client_id: SecretText | None = setting(
        None, f"The client id for fetching a token for `xvid`, with `client_secret`, instead of `token`. {_NO_OPTION}"
    )
    client_secret: SecretText | None = setting(None, f"The secret of `client_id`. {_NO_OPTION}")
    object_key: ObjectKey = setting(
        "uploads/{path}",
        "The name of a file at `xvid`. {path} is its path within the source, {name} its name, {stem} and {ext} are the "
        "two parts of the name, {date} is the UTC date of its last change as YYYY-MM-DD.",
        about_default="It is different for every file of a source.",
        option=Option("xvid: names of files, e.g. uploads/{path}.", Panel.SERVICES),
    )
    expires_at: ExpiryTime | None = setting(
        None,
        "When `xvid` deletes an upload that no job has used. A duration counts from the start of the upload session.",
        about_default="The service deletes it after 7 days.",
        option=Option("xvid: when unused uploads are deleted, e.g. 30d, or 0 for never.", Panel.SERVICES),
    )
    ip: IpAddress | None = setting(
        None,
        "The public address of this machine's network. `xvid` then returns an upload address that is near to it.",
        about_default="The service chooses the upload address without it.",
        option=Option("xvid: the public IPv4 address from which files are sent.", Panel.SERVICES),
    )
    lfs_user: SecretText | None = setting(
        None,
        f"The user name for `git-lfs`, with `lfs_password`, instead of `token`. {_NO_OPTION}",
        about_default="The login of the host in netrc is used. If the server asks for one, git's credential helpers "
        "are asked as well.",
    )
    lfs_password: SecretText | None = setting(
        None, f"The password of `lfs_user`, or an access token in its place. {_NO_OPTION}"
    )
    ref: GitRef | None = setting(
        None,
        "The branch for which `git-lfs` uploads objects. A server that gives rights by branch needs it.",
        about_default="The server is asked without one.",
        option=Option("git-lfs: the branch of the objects, e.g. refs/heads/main.", Panel.SERVICES),
    )
    confirm: bool = setting(
        True,
        "Make the call that closes an upload, at services that have one. `metastudio` learns from it that the file is "
        "complete. `xvid` receives a request to finish the file, and further calls ask whether it has. `git-lfs` "
        "checks that it has the object.",
        about_default="An upload that is not closed may be unusable.",
        option=Option(
            "metastudio, xvid, git-lfs: make the call that closes an upload.",
            Panel.SERVICES,
            names=("--confirm/--no-confirm",),
        ),
    )

    @classmethod
    @check("asset_type")
    def _has_the_category(cls, value: str | None, others: Mapping[str, Any]) -> str | None:
        category = others.get("asset_file_category")
        if category is not None and (reason := wrong_category(value, category)) is not None:
            raise ValueError(f"expected a type that has the category in asset_file_category: {reason}")
        return value

    @classmethod
    @check("assets")
    def _have_the_profiles_category(cls, value: AssetRules, others: Mapping[str, Any]) -> AssetRules:
        category: str | None = others.get("asset_file_category")
        if category is None:
            return value
        for number, rule in enumerate(value, 1):
            reason = wrong_category(rule.asset_type, rule.asset_file_category or category)
            if reason is not None:
                raise ValueError(f"expected a category in rule {number}, because asset_file_category applies: {reason}")
        return value

    @classmethod
    @check("region")
    def _not_against_base_url(cls, value: str | None, others: Mapping[str, Any]) -> str | None:
        if value is not None and others.get("provider") == METASTUDIO and value not in METASTUDIO_REGION_NAMES:
            raise ValueError("expected cn-north-4, cn-east-3 or ap-southeast-3")
        named = region_named_by(others.get("base_url"))
        if value is not None and named is not None and value != named:
            raise ValueError(f"expected the region that base_url names, which is {named}")
        return value
