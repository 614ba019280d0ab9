"""A run has no network of any kind: real listeners on this machine hear nothing."""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import threading
import uuid

import pytest

from harness.contract.status import RunStatus


class Listener:
    """A real socket on this machine that remembers whether anybody came."""

    def __init__(self, family, kind, address):
        self.heard = []
        self.socket = socket.socket(family, kind)
        self.socket.bind(address)
        if kind == socket.SOCK_STREAM:
            self.socket.listen()
        self.address = self.socket.getsockname()
        threading.Thread(target=self._listen, args=(kind,), daemon=True).start()

    def _listen(self, kind):
        with contextlib.suppress(OSError):
            while True:
                if kind == socket.SOCK_STREAM:
                    with self.socket.accept()[0] as caller:
                        self.heard.append("a connection")
                        caller.recv(100)
                else:
                    self.heard.append(self.socket.recvfrom(100)[0])

    def close(self):
        self.socket.close()


def own_address() -> str:
    """The address of this machine on a network, where it has one."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])
    return "127.0.0.1"


@pytest.fixture
def listeners(world):
    found = {
        "tcp": Listener(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)),
        "tcp of the machine": Listener(socket.AF_INET, socket.SOCK_STREAM, (own_address(), 0)),
        "udp": Listener(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0)),
        "unix": Listener(socket.AF_UNIX, socket.SOCK_STREAM, str(world / "socket")),
    }
    if sys.platform == "linux":
        name = f"\0harness-{uuid.uuid4().hex}"
        found["abstract"] = Listener(socket.AF_UNIX, socket.SOCK_STREAM, name)
    if socket.has_ipv6:
        with contextlib.suppress(OSError):
            found["tcp 6"] = Listener(socket.AF_INET6, socket.SOCK_STREAM, ("::1", 0))
    yield found
    for one in found.values():
        one.close()


PROGRAM = """
import socket
ADDRESSES = json.loads({addresses!r})
def reach(family, kind, address):
    with socket.socket(getattr(socket, family), getattr(socket, kind)) as one:
        one.settimeout(2)
        one.connect(tuple(address) if isinstance(address, list) else address)
        one.send(b"hello")
        if kind == "SOCK_STREAM":
            one.recv(1)
        return "reached"
tried = {{name: attempt(lambda: reach(*how)) for name, how in ADDRESSES.items()}}
tried["name"] = attempt(lambda: socket.getaddrinfo("example.org", 80))
tried["name server"] = attempt(lambda: reach("AF_INET", "SOCK_STREAM", ["192.0.2.53", 53]))
tried["raw packets"] = attempt(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
interfaces = [line.split(":")[0].strip() for line in open("/proc/net/dev").read().splitlines()[2:]]
tell({{"tried": tried, "interfaces": interfaces}})
"""


def test_no_listener_of_this_machine_is_reached(confined, listeners):
    families = {"tcp 6": "AF_INET6", "unix": "AF_UNIX", "abstract": "AF_UNIX"}
    addresses = {
        name: (
            families.get(name, "AF_INET"),
            "SOCK_DGRAM" if name == "udp" else "SOCK_STREAM",
            one.address.decode() if isinstance(one.address, bytes) else one.address,
        )
        for name, one in listeners.items()
    }
    ran = confined(PROGRAM.format(addresses=json.dumps(addresses)))
    assert ran.outcome.status is RunStatus.OK, ran.log
    tried = ran.told["tried"]
    reached = {name for name, (end, _) in tried.items() if end == "done"}
    assert reached <= {"udp"}, tried  # a packet may be sent into the void
    assert ran.told["interfaces"] == ["lo"]
    assert {name for name, one in listeners.items() if one.heard} == set()


def test_the_listeners_can_be_heard_at_all(listeners):
    for name, one in listeners.items():
        with socket.socket(
            one.socket.family, socket.SOCK_DGRAM if name == "udp" else socket.SOCK_STREAM
        ) as caller:
            caller.connect(one.address)
            caller.send(b"hello")
            if name != "udp":
                assert caller.recv(1) == b""


def test_no_socket_of_a_kind_that_passes_through_namespaces_can_be_opened(confined):
    """AF_VSOCK reaches the host of a virtual machine from inside any network namespace."""
    ran = confined("""
        import socket
        kinds = (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET, socket.SOCK_RAW)
        opened = lambda family: any(attempt(lambda: socket.socket(family, kind))[0] == "done" for kind in kinds)
        tell([family for family in (*range(3, 10), *range(11, 16), *range(17, 50)) if opened(family)])
        """)
    assert ran.outcome.status is RunStatus.OK, ran.log
    assert ran.told == []


def test_a_run_can_talk_to_itself(confined):
    ran = confined("""
        import socket
        with socket.socket() as server, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM):
            server.bind(("127.0.0.1", 0))
            server.listen()
            with socket.create_connection(server.getsockname()) as caller:
                caller.sendall(b"x")
                tell(server.accept()[0].recv(1).decode())
        """)
    assert ran.outcome.status is RunStatus.OK, ran.log
    assert ran.told == "x"
