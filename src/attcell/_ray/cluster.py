"""Ray clusters: one of its own on this machine, or one that runs."""

from __future__ import annotations

import logging
import os
import secrets
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from importlib.util import find_spec
from threading import current_thread, main_thread
from typing import Any

from attcell._checks import flat
from attcell._log import logger
from attcell._spread import at_site
from attcell.errors import CallError, installing
from attcell.flow import num_cores

OWN = "ray"
_PATIENCE = 5.0  # seconds that an address has to answer

# Ray reads these when it is imported. Else it tells people of what it does by itself, hides GPUs with a
# warning, starts workers by `uv run` where this process was, and sees a tenth of a second later who is done.
_HERE = {
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_DATA_METADATA_PREFETCH_ON_THREAD": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
}
_ON_LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}  # so Ray has it; else it takes another address
_AS_IMPORTANT = {"RAY_worker_niceness": "0"}  # workers, as this process
# Where nothing answers, this is tried once, and not for minutes.
_ONCE = {"RAY_gcs_server_port_wait_time_s": "1", "RAY_py_gcs_connect_timeout_s": "5"}


@contextmanager
def on_ray(address: str = OWN) -> Iterator[None]:
    """Within this, whatever walks a list of videos does so on a Ray cluster.

    Args:
        address: ``ray`` for a cluster of its own on all cores and GPUs of this machine, which ends with this;
            ``auto`` for the one that runs here, or HOST:PORT of a cluster that this machine is a node of.
            Where this process is connected to a cluster already, ``ray`` and ``auto`` are that one.

    Raises:
        CallError: no Ray, no such cluster, one of another version, or another than this process is
            connected to.
    """
    if any(find_spec(name) is None for name in ("ray", "cloudpickle", "pyarrow")):
        raise CallError(f"--on wants Ray, which is not installed: {installing('ray')}")
    from attcell._ray.driver import RaySite

    refuse_address(address)
    with _environment(_HERE | _for(address)):
        site = RaySite(partial(_connect, address))
        try:
            with at_site(site):
                yield
        finally:
            site.leave()


def refuse_address(address: str) -> None:
    """Raise a CallError for what is no address, or one where nothing listens."""
    if address in (OWN, "auto"):
        return
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdecimal():
        raise CallError(
            f"--on is {address}; give ray for a cluster of its own on this machine, auto for the one that "
            "runs here, or HOST:PORT of one's head, such as 10.0.0.1:6379"
        )
    try:
        socket.create_connection((host, int(port)), _PATIENCE).close()
    except (OSError, OverflowError) as error:
        raise _unreached(address, flat(error)) from error


def refuse_another(address: str, connected: str) -> None:
    """Raise a CallError for the address of another cluster than this process is connected to."""
    if address not in (OWN, "auto") and _numbers(address).isdisjoint(_numbers(connected)):
        raise CallError(
            f"--on is {address}, but this process is connected to the Ray cluster {connected} already; give "
            "that, or disconnect first (ray.shutdown())"
        )


def _numbers(address: str) -> set[tuple[Any, ...]]:
    """The addresses that HOST:PORT stands for, as numbers."""
    host, _, port = address.rpartition(":")
    return {found[4] for found in socket.getaddrinfo(host, int(port), proto=socket.IPPROTO_TCP)}


def _connect(address: str) -> Callable[[], None]:
    """Connect this process, and return what ends that; nothing of it where it was connected before."""
    import ray

    if ray.is_initialized():
        refuse_another(address, ray.get_runtime_context().gcs_address)
        return lambda: None
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    if address == OWN:
        options |= {
            "address": "local",
            "num_cpus": num_cores(),
            "include_dashboard": False,
        }
        logger.info("starting a Ray cluster on this machine")
    else:
        options["address"] = address
    try:
        with _own_handlers(), _no_stderr():
            ray.init(**options)
        import ray.data  # which sets up its messages

        for name in ("ray", "ray.data"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
    except Exception as error:  # Ray has errors of many kinds for this
        ray.shutdown()
        raise _unreached(address, flat(error)[:500]) from error
    return ray.shutdown


def _unreached(address: str, why: str) -> CallError:
    if "ersion mismatch" in why:
        return CallError(
            f"the cluster {address} runs other versions: {why}; install the same on all machines"
        )
    if address == OWN:
        return CallError(f"no Ray cluster can be started here: {why}")
    return CallError(
        f"no Ray cluster answers at {address} ({why}); start one (ray start --head), make this machine a "
        "node of it (ray start --address=HOST:PORT), or give --on ray for one of its own"
    )


@contextmanager
def _no_stderr() -> Iterator[None]:
    """Ray's machine code says on stderr how much it will say there."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


@contextmanager
def _own_handlers() -> Iterator[None]:
    """Ray would take SIGTERM away from whoever listens."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if current_thread() is main_thread():
            signal.signal(signal.SIGTERM, before)


def _for(address: str) -> dict[str, str]:
    """What Ray is to find in the environment beside ``_HERE``."""
    if address == OWN:
        return _ON_LOOPBACK | _AS_IMPORTANT | _own_token()
    return _ONCE | (_ON_LOOPBACK if address.startswith(("127.", "localhost:")) else {})


def _own_token() -> dict[str, str]:
    """Other users of this machine may not send work to the cluster. Ray would keep a token in the user's home
    for that; one for this cluster alone is enough.
    """
    if "ray" in sys.modules or "RAY_AUTH_MODE" in os.environ:
        return {}
    return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """What is not set yet has these values meanwhile."""
    mine = {name: value for name, value in values.items() if name not in os.environ}
    os.environ.update(mine)
    try:
        yield
    finally:
        for name in mine:
            with suppress(KeyError):
                del os.environ[name]
