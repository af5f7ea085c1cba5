"""A long way between this machine and a lab's switch: every frame is held back for half a round trip.

Many kernels have no netem. So the machine's port leaves the switch, and a process that sees each of its frames hands it
on to another port when its time has come, and back again.
"""

import heapq
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

from tests.lab.machine import run
from tests.lab.network import NAMESPACES, Network

SOL_PACKET, PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING = 263, 15, 23
ETH_P_ALL = 3
LARGEST = 1 << 17
"""Bytes of a frame that is still to be cut into packets, with the header that says so."""


@contextmanager
def far_away(network: Network, round_trip: float) -> Iterator[None]:
    """The lab's hosts are `round_trip` seconds from this machine; without any, nothing is done."""
    if not round_trip:
        yield
        return
    inside = ("ip", "-n", network.switch, "link")
    run(*inside, "add", "far", "type", "veth", "peer", "name", "near")
    run(*inside, "set", "near", "up")
    run(*inside, "set", "far", "master", "switch", "up")
    run(*inside, "set", "machine", "nomaster")
    words = (sys.executable, "-m", "tests.lab.delay", "machine", "near", str(round_trip / 2))
    enter = ("nsenter", f"--net={NAMESPACES / network.switch}")
    try:
        with subprocess.Popen((*enter, *words), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as way:
            assert way.stdin
            assert way.stdout
            assert way.stdout.readline()
            yield
            way.stdin.close()
    finally:
        run(*inside, "delete", "far")
        run(*inside, "set", "machine", "master", "switch")


def carry(one: str, other: str, delay: float) -> None:
    """Hand frames from each of two ports on to the other, `delay` seconds late, until standard input ends."""
    ends = [_end(one), _end(other)]
    across = {ends[0].fileno(): ends[1], ends[1].fileno(): ends[0]}
    number, waiting = count(), list[tuple[float, int, socket.socket, bytes]]()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        left = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        ready = select.select([*across, sys.stdin.fileno()], [], [], left)[0]
        if sys.stdin.fileno() in ready:
            return
        for end in (each for each in ends if each.fileno() in ready):
            heapq.heappush(waiting, (time.monotonic() + delay, next(number), across[end.fileno()], end.recv(LARGEST)))
        while waiting and waiting[0][0] <= time.monotonic():
            _, _, end, frame = heapq.heappop(waiting)
            end.send(frame)


def _end(port: str) -> socket.socket:
    """All frames that come in by a port. With the kernel's header, as sums are not made and large ones not cut yet."""
    end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    end.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    end.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
    end.bind((port, ETH_P_ALL))
    return end


if __name__ == "__main__":
    carry(sys.argv[1], sys.argv[2], float(sys.argv[3]))
