"""The settings of a bucket, for the provider `s3`: where objects go, and the properties that they get."""

from __future__ import annotations

from typing import Literal

from bulkup.config.declaration import Option, Panel, setting
from bulkup.config.services import Services
from bulkup.config.setting_types import (
    BucketName,
    ContentTypes,
    HeaderText,
    Lifetime,
    LongHeaderText,
    Metadata,
    Name,
    ObjectKey,
    PartSize,
    SizeInBytes,
    Tags,
)


class Buckets(Services):
    """Where objects go in `s3`, and the properties that they get there."""

    bucket: BucketName | None = setting(
        None,
        "The bucket of `s3` that files are uploaded to. It must exist.",
        about_default="`s3` needs it.",
        option=Option("s3: the bucket; required.", Panel.SERVICES, metavar="NAME"),
    )
    key: ObjectKey = setting(
        "{path}",
        "The key of a file's object at `s3`. {path} is its path within the source, {name} its name, {stem} and {ext} "
        "are the two parts of the name, {date} is the UTC date of its last change as YYYY-MM-DD. Two files cannot have "
        "the same key.",
        about_default="It is different for every file of a source.",
        option=Option("s3: keys of objects, e.g. backup/{path}.", Panel.SERVICES),
    )
    addressing: Literal["auto", "path", "virtual"] = setting(
        "auto",
        "Where URLs for `s3` name the bucket: in their `path`, or in their host (`virtual`).",
        about_default="It is `virtual` at Amazon, if the name has no dots, and `path` at any other address.",
        option=Option("s3: where URLs name the bucket: auto, path or virtual.", Panel.SERVICES, metavar="STYLE"),
    )
    aws_profile: Name | None = setting(
        None,
        "The profile in the AWS configuration files (`~/.aws/config`) that the keys for `s3` come from.",
        about_default="The first keys of the usual AWS search are used: environment, profile, container, instance.",
        option=Option("s3: the profile of ~/.aws/config with the keys.", Panel.SERVICES),
    )
    url_lifetime: Lifetime = setting(
        3600.0,
        "How long upload URLs for `s3` are valid. URLs made with temporary keys end with the keys.",
        about_default="A request that has begun in time may take longer.",
        option=Option("s3: how long upload URLs are valid; at most 7d.", Panel.SERVICES),
    )
    multipart_from: SizeInBytes = setting(
        64 * 1024**2,
        "Files of this size and larger are sent to `s3` in parts, several at a time. Above 5 GiB all files are: stores "
        "take no larger request.",
        option=Option("s3: send files from this size on in parts.", Panel.SERVICES),
    )
    part_size: PartSize = setting(
        16 * 1024**2,
        "The size of those parts. It is larger for files that would have more than 10,000 parts.",
        about_default="A part that fails is sent again as a whole.",
        option=Option("s3: the size of the parts, from 5M to 5G.", Panel.SERVICES),
    )
    storage_class: HeaderText | None = setting(
        None,
        "The storage class of objects at `s3`, such as STANDARD_IA.",
        about_default="The bucket's own.",
        option=Option("s3: the storage class, e.g. STANDARD_IA.", Panel.SERVICES, metavar="NAME"),
    )
    acl: HeaderText | None = setting(
        None,
        "The canned ACL of objects at `s3`, such as private or bucket-owner-full-control.",
        about_default="The bucket decides.",
        option=Option("s3: the canned ACL of objects.", Panel.SERVICES, metavar="NAME"),
    )
    sse: Literal["AES256", "aws:kms", "aws:kms:dsse"] | None = setting(
        None,
        "How `s3` encrypts objects. The ETag of an object that is encrypted with KMS is not its MD5. Such an upload is "
        "proved by a checksum, see `checksum_algorithm`, or counts as unverified.",
        about_default="The bucket's own encryption.",
        option=Option("s3: encryption: AES256, aws:kms or aws:kms:dsse.", Panel.SERVICES, metavar="KIND"),
    )
    sse_kms_key: LongHeaderText | None = setting(
        None,
        "The id or ARN of the KMS key, for `sse`.",
        about_default="The account's default key.",
        option=Option("s3: the KMS key.", Panel.SERVICES, metavar="ID"),
    )
    checksum_algorithm: Literal["crc64nvme", "crc32c", "sha256"] | None = setting(
        None,
        "A further checksum of objects at `s3`. It is part of the signature, so the store accepts no other bytes, and "
        "it stays with the object. Files are read once more for it, before they are sent. Files in parts have none.",
        about_default="The MD5 is sent with small files, and compared with the ETag.",
        option=Option("s3: a further checksum: crc64nvme, crc32c or sha256.", Panel.SERVICES, metavar="NAME"),
    )
    tags: Tags = setting(
        {},
        "The tags of objects at `s3`: at most 10.",
        option=Option("s3: a tag of objects, e.g. project=x7; may be repeated.", Panel.SERVICES),
    )
    metadata: Metadata = setting(
        {},
        "The metadata of objects at `s3` (headers x-amz-meta-*).",
        option=Option("s3: metadata of objects, e.g. project=x7; may be repeated.", Panel.SERVICES),
    )
    content_types: ContentTypes = setting(
        {},
        "The Content-Type of objects at `s3`, by extension. It adds to a built-in table, or changes it.",
        about_default="Common extensions have their registered type; other objects get `application/octet-stream`.",
        option=Option("s3: types by extension, e.g. mp4=video/mp4; may be repeated.", Panel.SERVICES),
    )
    if_none_match: bool = setting(
        False,
        "Have `s3` refuse an upload whose key exists already, instead of replacing the object.",
        about_default="An object with the same key is replaced.",
        option=Option("s3: do not replace objects that exist.", Panel.SERVICES, names=("--if-none-match",)),
    )
    skip_existing: bool = setting(
        False,
        "Leave out files that the bucket of `s3` has already, with the same size and the same MD5 as ETag. The bucket "
        "is listed for this, and only files with an object of their size are read for the comparison. An object that "
        "was sent in parts, or is encrypted with KMS, has no MD5, so its file is sent again.",
        about_default="The journal alone says which files were uploaded.",
        option=Option("s3: leave out files that the bucket has already.", Panel.SERVICES, names=("--skip-existing",)),
    )
