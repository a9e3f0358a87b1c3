"""The first inputs of the fuzzer: the worked examples of docs/contracts.md, and the refusals beside them."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import zlib
from typing import Any

from fuzz.answers import as_bytes

_JSON = "application/json"
_DATE = "Tue, 14 Nov 2023 22:13:20 GMT"
_SIGNED_V4 = "?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20231114T221320Z&X-Amz-Expires=3600&X-Amz-Signature=s"
_SIGNED_V2 = "?AWSAccessKeyId=ASIAEXAMPLE&Signature=s%3D&x-amz-security-token=t&Expires=1700003600"

MAGIC_HOUR = {
    "items": [
        {
            "upload_url": f"https://videos.magichour.ai/api-assets/{n}/video.mp4?auth-value=123456789{n}",
            "expires_at": "2024-07-25T16:56:21.932Z",
            "file_path": f"api-assets/{n}/video.mp4",
        }
        for n in range(2)
    ]
}
MOVE = {
    "data": {
        f"f{n}": {"id": f"file-{n}", "presignedUrl": f"https://s3.amazonaws.com/b/{n}.mp4{_SIGNED_V2}"}
        for n in range(2)
    }
}
MOVE_ERROR = {
    "data": None,
    "errors": [
        {
            "path": ["getFile"],
            "data": None,
            "errorType": "MoveNotFoundError",
            "errorInfo": None,
            "locations": [{"line": 2, "column": 3, "sourceName": None}],
            "message": "Resource not found in move-ugc-api.",
        }
    ],
}
_OBS = (
    "https://metastudio.obs.cn-north-4.myhuaweicloud.com:443/x/a-1/1.jpg?AccessKeyId=A&Expires=1700086400&Signature=s"
)
METASTUDIO = {"file_id": "8b9ecfde", "upload_url": _OBS}
METASTUDIO_LARGE = {"file_id": "8b9ecfde", "upload_urls": [f"{_OBS}&partNumber={n}&uploadId=u" for n in (1, 2)]}
_POLICY = base64.b64encode(
    json.dumps({"expiration": "2030-01-01T00:00:00.000Z", "conditions": [{"bucket": "b"}]}).encode()
).decode()
XVID = {
    "upload": {
        "form_post_params": {
            "name": "test.mp4",
            "success_action_status": "201",
            "filename": "",
            "chunk": "0",
            "chunks": "1",
            "policy": _POLICY,
            "signature": "2xxWL17bTxvGIXPlSwHVAlbEQ8Q=",
            "AWSAccessKeyId": "AKIAEXAMPLE",
            "key": "tmp/53a1/d/n0.mp4",
            "acl": "private",
        },
        "form_post_url": "https://prd-xmc-xvid-s3-eu-west-1.s3.amazonaws.com/",
        "status": "UPLOADING",
        "object_key": "d/n0.mp4",
        "nb_chunks": 0,
        "type": "S3",
        "pipeline": {"id": "53a1ac4914eaa8ffa4fce91b"},
        "file": {"id": "5a1b2c3d4e5f6a7b8c9d0e1f"},
        "id": "5a1b2c3d4e5f6a7b8c9d0e1f",
    }
}
_XVID_XML = b"""<?xml version="1.0" encoding="UTF-8"?><upload><status>COMPLETED</status><id>5a1b</id></upload>"""
_OIDS = [hashlib.sha256(b"%d" % number).hexdigest() for number in range(2)]
LFS = {
    "transfer": "basic",
    "objects": [
        {
            "oid": oid,
            "size": number + 1,
            "authenticated": True,
            "actions": {
                "upload": {
                    "href": f"https://store.example/{oid}{_SIGNED_V4}",
                    "header": {"Authorization": "RemoteAuth x", "X-Amz-Content-Sha256": oid},
                    "expires_in": 3600,
                    "expires_at": "2023-11-14T23:13:20Z",
                },
                "verify": {"href": f"https://api.example/{oid}/verify", "header": {}, "expires_in": 3600},
            },
        }
        for number, oid in enumerate(_OIDS)
    ],
    "hash_algo": "sha256",
}
LFS_OTHERS = {
    "objects": [
        {"oid": _OIDS[0], "size": 1},
        {"oid": _OIDS[1], "size": 2, "error": {"code": 422, "message": "too large"}},
    ]
}
LFS_LATER = {"objects": [{"oid": oid, "error": {"code": 429, "message": "later"}} for oid in _OIDS]}
LOCAL = {
    "tickets": [
        {"id": f"local/0{n}/x.mp4", "url": f"https://127.0.0.1:1/local/0{n}/x.mp4{_SIGNED_V4}", "expires_in": 3600}
        for n in range(2)
    ]
}
IAM = {"token": {"expires_at": "2023-11-15T22:13:20.000000Z", "issued_at": "2023-11-14T22:13:20.000000Z"}}


def answers(*bodies: Any, error: Any = None, **headers: str) -> list[bytes]:
    """Return successful answers with these bodies, and one refusal of each status with a meaning of its own."""
    good = [as_bytes(_body(body), 200, content_type=_JSON, date=_DATE, **headers) for body in bodies]
    said = _body(error if error is not None else {"message": "no"})
    refused = [as_bytes(said, status, content_type=_JSON, retry_after="3") for status in (400, 401, 403, 404, 429, 503)]
    return [*good, *refused, as_bytes(b"<html><body>Sign in</body></html>", 200, content_type="text/html")]


def _body(value: Any) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value).encode()


API = {
    "magic-hour": answers(MAGIC_HOUR),
    "move-ugc": answers(MOVE, MOVE_ERROR, error=MOVE_ERROR),
    "metastudio": answers(METASTUDIO, METASTUDIO_LARGE, error={"error_code": "APIGW.0308", "error_msg": "limit"}),
    "xvid": answers(XVID, _XVID_XML, error={"error": {"error_code": "0x0000003", "error_message": "Invalid"}}),
    "git-lfs": answers(
        LFS, LFS_OTHERS, LFS_LATER, error={"message": "no", "documentation_url": "https://api.example/docs"}
    ),
    "local": answers(LOCAL),
}
CLOSING = [
    *answers({"upload": {**XVID["upload"], "status": "COMPLETING"}}, _XVID_XML, b""),
    *answers(error={"error_code": "MSS.00000006", "error_msg": "The file has been completed already."}),
]
_ENTRIES = [
    {
        "name": f"n{n}.mp4",
        "id": f"u-{n}",
        "url": f"https://store.example/{n}{_SIGNED_V4}",
        "headers": [{"name": "Content-Type", "value": "video/mp4"}, {"name": "X-Slot", "value": n}],
        "expires": "2023-11-14T23:13:20Z",
        "ttl": 3600,
        "bucket": "b",
    }
    for n in range(2)
]
DESCRIBED = answers(
    {"items": _ENTRIES},
    {"items": [_ENTRIES[1], {"name": "n0.mp4", "refused": {"message": "too large"}, "id": 7}]},
    {"items": [{**entry, "there": True} for entry in _ENTRIES]},
    {"files": {entry["name"]: entry for entry in _ENTRIES}},
    {"data": {"url": "/form?key=1", "fields": [["key", "tmp/1"], ["policy", _POLICY]]}},
    {"ids": {"n0.mp4": "u-1"}, "parts": [{"url": f"https://store.example/p{n}{_SIGNED_V4}"} for n in range(3)]},
    {"status": "READY"},
    {"status": "BUSY", "error": None},
    {"error": {"code": "SlowDown", "message": "slow down"}},
    error={"error": {"code": "Denied", "message": "no"}, "message": "completed already"},
)
FILE = "file-2be2463e"
DOWNLOAD = answers(
    {"data": {"getFile": {"id": FILE, "presignedUrl": f"https://s3.amazonaws.com/k.mp4{_SIGNED_V2}"}}},
    {"data": None, "errors": [{"path": ["getFile"], "errorType": "MoveNotFoundError", "message": "Not found."}]},
    error=MOVE_ERROR,
)
TOKENS = [
    *answers(IAM, x_subject_token="t"),
    *answers({"access_token": "t", "expires_in": "7200"}),
]


def _xml(code: str, message: str) -> bytes:
    return f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()


_POSTED = b'<PostResponse><Key>k</Key><ETag>"d41d8cd98f00b204e9800998ecf8427e"</ETag></PostResponse>'
STORAGE = [
    as_bytes(b"", etag='"d41d8cd98f00b204e9800998ecf8427e"'),
    as_bytes(b"", x_amz_checksum_sha256="47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", etag='W/"x-2"'),
    as_bytes(_POSTED, 201, content_type="application/xml"),
    as_bytes(_xml("AccessDenied", "Request has expired"), 403),
    as_bytes(_xml("AccessDenied", "Invalid according to Policy: Policy expired."), 403),
    as_bytes(_xml("SlowDown", "Please reduce your request rate."), 503, retry_after="5"),
    as_bytes(_xml("RequestTimeout", "Your socket connection was not read from"), 400),
    as_bytes(_xml("BadDigest", "The Content-MD5 you specified did not match"), 400),
    as_bytes(b"", 429, retry_after=_DATE, date=_DATE),
]
URLS = [
    f"https://s3.amazonaws.com/bucket/key{_SIGNED_V2}".encode(),
    f"https://videos.magichour.ai/a.mp4{_SIGNED_V4}".encode(),
    _OBS.encode(),
    b"http://user:pw@h/",
    b"//evil.example/k",
    b"/other?x",
    b"https://[::1]:8080/k#f",
    b"https://[::ffff:10.0.0.1%25eth0]/k",
    b"https://xn--nxasmq6b/..;/k",
    b"https://h\\@evil.example/",
]
HOSTS = [
    *(
        b"storage.example.com",
        b"*.example.com",
        "b\u00fccher.example".encode(),
        b"xn--bcher-kva.example.",
        b"127.0.0.1",
    ),
    *(b"[::1]", b"::ffff:10.0.0.1", b"64:ff9b::a00:1", b"2130706433", b"0x7f.1", b"fe80::1%eth0", b"8.8.8.8"),
]
USER_INPUTS = {
    "name-lists": [b"\xffa.mp4\nfolder/b.mp4\n\nc", b"\0a.mp4\0folder/b\n.mp4\0\0c", b"\xf5\n\n\0"],
    "patterns": [
        b"*_*_*_*_*.tmp\n____________________________.mp4",
        b"!/a/**/b[!c-d]?\\*/\na/x/y/bex*/z",
        b"**/*.mp4\nfolder/\xff.mp4",
        b"a*/**/?b\na/a/ab",
    ],
    "proxies": [
        b"http://me:pw@proxy.example:3128\nlocalhost,.example.org,10.0.0.0/8\na.example.org/k",
        b"socks5://proxy:1080\n2001:db8::/32 [::1]:81\n[2001:db8::1]:443/",
        b"proxy:3128\n*\nuser@host:80",
    ],
    "no-proxy": [
        *(b"10.0.0.0/8\n10.1.2.3", b"10.1.2.3\n10.1.2.3", b"172.16.0.1/255.240.0.0\n172.31.255.255"),
        *(b"2001:db8::/32\n2001:db8::1", b"2001:DB8::1\n2001:db8:0:0::1", b"0.0.0.0/0\n2001:db8::1"),
        *(b".example.org\na.example.org", b"example.org\nbadexample.org", b"Example.ORG\nexample.org"),
    ],
    "asset-lines": [
        b'\0path,asset_id,asset_file_category,name,asset_type\na.mp4,1,MAIN,"x\ny",VIDEO\nb,2,,,\n',
        b"\0\xef\xbb\xbfpath,asset_id,pth\n",
        b'\xff{"path": "a.mp4", "asset_id": "1"}\n\n{"path_b64": "/w==", "asset_id": "2", "name": "n"}\n',
    ],
    "extensions": [b"mpeg=video", b".MP4=video,gif=none", b'{"mpeg": "video", "mkv": false}', b'["a=b"]'],
}
URL_ENDS = [
    *(f"https://h/k{query}".encode() for query in (_SIGNED_V4, _SIGNED_V2)),
    _OBS.encode(),
    b"https://h/k?x-goog-date=20260102T030405Z&X-Goog-Expires=900&X-Goog-Signature=s",
    b"https://h/k?sv=2024-11-04&se=2026-01-02T03%3A04%3A05Z&sig=s",
]
DOCUMENTS = [
    b"\n" + _xml("AccessDenied", "Request has expired"),
    b"gzip\n" + gzip.compress(b"<!-- a --><!DOCTYPE a [<!ENTITY b 'c'>]><Error/>", mtime=0),
    b"deflate\n" + zlib.compress(b'{"error": {"code": "X", "message": "Y"}}'),
    b"\n" + "\ufeff<html><head>".encode("utf-16-le"),
    b'\n{"status": 500, "message": "no"}',
    b'\n{"errors": [{"mess',
    b"\n<s:Envelope><s:Body><s:Fault><faultcode>Server</faultcode></s:Fault></s:Body></s:Envelope>",
    b'\n<PostResponse><ETag>"d41d8cd98f00b204e9800998ecf8427e"</ETag></PostResponse>',
]
TIMES = [
    _DATE.encode(),
    b"Tuesday, 14-Nov-23 22:14:20 GMT",
    b"Tue Nov 14 22:14:20 2023",
    b"120",
    b"2024-07-25T16:56:21.932Z",
    b"2030-01-31T00:00:00+14:00",
]
