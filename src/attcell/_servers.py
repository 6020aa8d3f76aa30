"""Files on servers, through fsspec: what is there, ranges of bytes, whole files, one error for each fault.

Each process has file systems of its own, for theirs hold a thread that no fork inherits. They are configured
as fsspec, boto and the Hub are everywhere: by the environment and by their own files. No message holds what
stands behind the ? of a URL, where signatures are.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeVar

from attcell.errors import CallError, installing

SECONDS = "ATTCELL_URL_SECONDS"
PROTOCOLS = ("s3", "gs", "hf", "https", "http")
_EXTRAS = {"s3": "s3", "gs": "gs"}  # the others come with attcell
_TRIES = 3
FRESH_SECONDS = 2.0  # an answer is taken again for so long
_MOST_KNOWN = 1000
_WAIT = 0.5  # seconds before the second try; twice as long before the next
_VERSIONS = ("ETag", "etag", "sha256", "blob_id", "md5Hash", "generation", "VersionId", "Last-Modified")
_CHANGED = ("LastModified", "mtime", "updated", "last_modified", "Last-Modified", "created")

Result = TypeVar("Result")


class Info(NamedTuple):
    """What a server says of a place.

    Attributes:
        is_folder: or a file.
        size: in bytes; None where the server does not say.
        version: another one when the content is another; "" where the server does not say.
        changed: in seconds since 1970; 0 where the server does not say.
        has_ranges: False where the server says that it sends whole files alone.
    """

    is_folder: bool
    size: int | None
    version: str = ""
    changed: float = 0.0
    has_ranges: bool = True


_KNOWN: dict[str, tuple[float, Info]] = {}  # when a place was asked about, and what is there


class NoRanges(OSError):
    """A server that sends whole files alone."""


def info(url: str) -> Info:
    """What is at a place, or was a moment ago.

    Raises:
        OSError: nothing (FileNotFoundError), or it cannot be told.
    """
    now = time.monotonic()
    asked, found = _KNOWN.get(url, (-FRESH_SECONDS, None))
    if found is None or now - asked >= FRESH_SECONDS:
        found = _tried(url, lambda server, place: _info(server.info(place)))
        if len(_KNOWN) >= _MOST_KNOWN:
            _KNOWN.clear()
        _KNOWN[url] = now, found
    return found


def files_below(url: str) -> dict[str, Info]:
    """URL → what is known of it, of every file below a folder. Errors as of :func:`info`."""
    protocol = url.partition(":")[0]
    found = _tried(url, lambda server, place: server.find(place, detail=True))
    return {
        name if "://" in name else f"{protocol}://{name.lstrip('/')}": _info(of) for name, of in found.items()
    }


def names_in(url: str) -> list[str]:
    """The names directly in a folder. Errors as of :func:`info`."""
    found = map(_key, _tried(url, lambda server, place: server.ls(place, detail=False)))
    own = _key(url)  # a server may keep an empty file in the folder's place
    return [key.rpartition("/")[2] for key in found if key not in ("", own)]


def _key(url: str) -> str:
    """A URL, or a name as servers list it, without protocol and slashes at its ends."""
    return (url.partition("://")[2] or url).strip("/")


def range_of(url: str, start: int, end: int, size: int) -> bytes:
    """The bytes of a file from ``start`` to before ``end``.

    Raises:
        NoRanges: the server sends whole files alone.
        OSError: it cannot be read, after some tries.
    """

    def read(server: Any, place: str) -> bytes:
        if not url.startswith("http"):
            return bytes(server.cat_file(place, start=start, end=end))
        with server.open(place, "rb", block_size=1 << 20, cache_type="none", size=size) as file:
            try:
                file.seek(start)
                return bytes(file.read(end - start))
            except ValueError:  # of fsspec, where the whole file comes, or a stream that cannot be sought in
                raise NoRanges(errno.EOPNOTSUPP, "the server sends no ranges", shown(url)) from None

    def whole(server: Any, place: str) -> bytes:
        found = read(server, place)
        if len(found) != end - start:
            raise ConnectionResetError(errno.ECONNRESET, "the connection broke off", shown(url))
        return found

    return _tried(url, whole)


def content_of(url: str) -> bytes:
    """A whole file. Errors as of :func:`info`."""
    return _tried(url, lambda server, place: bytes(server.cat_file(place)))


def download(url: str, file: BinaryIO, heard: Callable[[], None]) -> None:
    """A whole file of http or https into an open one; ``heard`` is called as it comes. Errors as of
    :func:`info`.
    """
    from fsspec.callbacks import Callback

    def get(server: Any, place: str) -> None:
        file.seek(0)
        file.truncate()
        callback = Callback(hooks={"heard": lambda *_, **__: heard()})
        server.get_file(place, file, chunk_size=1 << 18, callback=callback)

    _tried(url, get)


def upload(file: Path, url: str) -> None:
    """Put a file to a place, whole or not at all.

    Raises:
        CallError: it is one of http, where nothing is written.
        OSError: it cannot be written.
    """
    if url.startswith("http"):
        raise CallError(
            f"{shown(url)}: nothing is written to http:// and https://; name a local path, or one of s3://, "
            "gs:// or hf://"
        )
    _tried(url, lambda server, place: server.put_file(str(file), place))
    _KNOWN.pop(url, None)


def shown(url: str) -> str:
    """A URL for people and files: of what stands behind the ?, which may be a signature, a short hash."""
    if not url.startswith("http") or "?" not in url:
        return url
    import hashlib

    place, _, query = url.partition("?")
    return f"{place}?…{hashlib.sha256(query.encode()).hexdigest()[:6]}"


def seconds() -> float:
    """How long a server may be silent, $ATTCELL_URL_SECONDS (30).

    Raises:
        CallError: the variable holds something else than a number above 0.
    """
    given = os.environ.get(SECONDS, "30")
    try:
        found = float(given)
    except ValueError:
        found = 0.0
    if not 0 < found < 1e6:
        raise CallError(f"${SECONDS} is {given!r}; give seconds, more than 0")
    return found


# Whoever serves a protocol, in this process.

_SERVERS: dict[tuple[int, str], Any] = {}  # those of a parent stay: to close them would take its thread


def _server(protocol: str) -> Any:
    known = os.getpid(), protocol
    if known not in _SERVERS:
        import fsspec

        try:
            _SERVERS[known] = fsspec.filesystem(protocol, skip_instance_cache=True, **_options(protocol))
        except ImportError as error:
            extra = _EXTRAS.get(protocol)
            advice = installing(extra) if extra else f"install what is missing ({error})"
            raise CallError(f"{protocol}:// cannot be read here: {advice}") from error
    return _SERVERS[known]


def _options(protocol: str) -> dict[str, Any]:
    silent = seconds()
    if protocol in ("http", "https"):
        import aiohttp
        from fsspec.config import conf

        timeout = aiohttp.ClientTimeout(total=None, sock_connect=silent, sock_read=silent)
        own = conf.get(protocol, {}).get("headers", {})
        return {
            "client_kwargs": {"trust_env": True, "timeout": timeout},  # proxies, and ~/.netrc
            "headers": {"Accept-Encoding": "identity", **own},  # a range of compressed bytes is of no use
            "use_listings_cache": False,
        }
    if protocol == "s3":
        limits = {"connect_timeout": silent, "read_timeout": silent, "retries": {"max_attempts": 0}}
        return {"config_kwargs": limits, "use_listings_cache": False}
    return {}


def _tried(url: str, ask: Callable[[Any, str], Result]) -> Result:
    """What a server answers; a connection that breaks off, or a server that fails, is tried again."""
    server = _server(url.partition(":")[0])
    for again in range(_TRIES):
        try:
            return ask(server, _encoded(url))
        except (CallError, NoRanges):
            raise
        except Exception as error:  # of aiohttp, botocore, gcsfs and the Hub, of many kinds
            fault = _fault(error, url)
            if again + 1 == _TRIES or not isinstance(fault, ConnectionError | TimeoutError):
                raise fault from None
            time.sleep(_WAIT * 2**again)
    raise AssertionError("tried at least once")


def _encoded(url: str) -> str:
    """As a server is asked: http takes no spaces, nor letters with accents."""
    if not url.startswith("http"):
        return url
    from urllib.parse import quote

    return quote(url, safe="/%:@!$&'()*+,;=~?#[]")


def _info(found: dict[str, Any]) -> Info:
    version = next((str(found[key]) for key in _VERSIONS if found.get(key)), "")
    changed = next((_seconds_of(found[key]) for key in _CHANGED if found.get(key)), 0.0)
    has_ranges = found.get("partial", True) and found["size"] is not None
    return Info(found["type"] == "directory", found["size"], version, changed, has_ranges)


def _seconds_of(moment: Any) -> float:
    try:
        if isinstance(moment, str) and "," in moment:
            moment = parsedate_to_datetime(moment)
        elif isinstance(moment, str):
            moment = datetime.fromisoformat(moment)
        return moment.timestamp() if isinstance(moment, datetime) else float(moment)
    except (ValueError, TypeError):
        return 0.0


# Faults: each library has errors of its own, and some hold the whole URL.


def _fault(error: Exception, url: str) -> OSError:
    """The error as Python has it for files on disks; its text says what to do."""
    number, reason = _why(error, url)
    return OSError(number, reason, shown(url))


# Of the libraries' errors, by the names of their classes: the first line that names one counts.
_FAULTS: tuple[tuple[frozenset[str], int, str], ...] = (
    (
        frozenset({"NoCredentialsError", "PartialCredentialsError", "DefaultCredentialsError"}),
        errno.EACCES,
        "there are no credentials: {credentials}",
    ),
    (frozenset({"ProfileNotFound"}), errno.EACCES, "$AWS_PROFILE names no profile: {credentials}"),
    (frozenset({"PermissionError"}), errno.EACCES, "the server refuses it: {credentials}"),
    (
        frozenset({"IncompleteRead", "ClientPayloadError", "ResponseStreamingError", "ConnectionResetError"}),
        errno.ECONNRESET,
        f"the connection broke off, {_TRIES} times; run again",
    ),
    (
        frozenset({"ServerDisconnectedError", "ConnectionClosedError"}),
        errno.ECONNRESET,
        f"the server ended the connection, {_TRIES} times; run again",
    ),
    (
        frozenset({"TimeoutError", "FSTimeoutError", "ConnectTimeoutError", "ReadTimeoutError"}),
        errno.ETIMEDOUT,
        f"the server said nothing for {{silent:g}} s (${SECONDS})",
    ),
    (
        frozenset({"ClientConnectorError", "EndpointConnectionError", "ConnectionError", "gaierror"}),
        errno.ECONNREFUSED,
        "no server answers there; check the address and the network",
    ),
    (
        frozenset({"FileNotFoundError", "RepositoryNotFoundError", "NoSuchBucket"}),
        errno.ENOENT,
        "the server has no such file",
    ),
)


def _why(error: Exception, url: str) -> tuple[int, str]:
    """The number of Python's error, and what is said."""
    chain = list(_chain(error))
    kinds = {kind.__name__ for one in chain for kind in type(one).__mro__}
    status = next((found for one in chain if (found := _status(one)) is not None), None)
    if status is not None:
        return _why_status(status, url)
    for names, number, reason in _FAULTS:
        if names & kinds:
            return number, reason.format(credentials=_credentials(url), silent=seconds())
    if isinstance(error, OSError) and error.errno and error.filename and error.strerror:
        return error.errno, error.strerror  # of a local file
    text = " ".join(str(error).split()).replace(url, shown(url))
    return errno.EIO, f"{type(error).__name__}: {text.partition('?')[0][:300]}"


def _why_status(status: int, url: str) -> tuple[int, str]:
    if status in (404, 410):
        return errno.ENOENT, f"the server has no such file ({status})"
    if status in (401, 403):
        return errno.EACCES, f"the server refuses it ({status}): {_credentials(url)}"
    if status >= 500 or status in (408, 429):
        return errno.ECONNABORTED, f"the server fails ({status}); try later"
    return errno.EIO, f"the server answers with status {status}"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error, and those that it came from."""
    seen: BaseException | None = error
    for _ in range(10):
        if seen is None:
            return
        yield seen
        seen = seen.__cause__ or seen.__context__


def _status(error: BaseException) -> int | None:
    """The HTTP status that an error tells of."""
    told = getattr(error, "response", None)
    if isinstance(told, dict):  # of botocore
        return told.get("ResponseMetadata", {}).get("HTTPStatusCode")
    found = getattr(told, "status_code", None) or getattr(error, "status", None)
    if type(error).__module__.startswith("gcsfs"):
        found = getattr(error, "code", None)
    return found if isinstance(found, int) and 400 <= found < 600 else None


def _credentials(url: str) -> str:
    """What to do about credentials, by the protocol."""
    if url.startswith("s3:"):
        return (
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; for a public bucket set "
            "FSSPEC_S3_ANON=true"
        )
    if url.startswith("gs:"):
        return "set GOOGLE_APPLICATION_CREDENTIALS; for a public bucket set FSSPEC_GS_TOKEN=anon"
    if url.startswith("hf:"):
        return "set HF_TOKEN, or log in by `hf auth login`"
    return "check the address; a signed one may have expired, and a password goes into ~/.netrc"
