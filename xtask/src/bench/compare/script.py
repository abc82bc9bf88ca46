"""The design that administrators have had since 2009: a script on one queue, which admits countries.

Arguments: the queue, and a file with the first and the last address of each admitted range, sorted.
"""

import bisect
import socket
import struct
import sys

NETFILTER = 12
PACKET, VERDICT, CONFIG = 0x300, 0x301, 0x302

queue = int(sys.argv[1])
firsts, lasts = [], []
with open(sys.argv[2]) as ranges:
    for line in ranges:
        first, last = line.split()
        firsts.append(int(first))
        lasts.append(int(last))

netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETFILTER)
netlink.bind((0, 0))
netlink.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)  # SO_RCVBUFFORCE
netlink.setsockopt(270, 5, 1)  # NETLINK_NO_ENOBUFS


def attribute(kind, value):
    length = 4 + len(value)
    return struct.pack("=HH", length, kind) + value + bytes(-length % 4)


def message(kind, body):
    body = struct.pack(">BBH", 0, 0, queue) + body
    return struct.pack("=IHHII", 16 + len(body), kind, 1, 0, 0) + body


netlink.send(message(CONFIG, attribute(1, struct.pack(">BBH", 1, 0, 0))))
netlink.send(message(CONFIG, attribute(2, struct.pack(">IB", 65535, 2))))
netlink.send(message(CONFIG, attribute(3, struct.pack(">I", 4096))))
print("ready", flush=True)

while True:
    data = netlink.recv(1 << 16)
    if struct.unpack_from("=H", data, 4)[0] != PACKET:
        continue
    number, packet, at = None, None, 20
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        if length < 4:
            break
        if kind == 1:
            number = struct.unpack_from(">I", data, at + 4)[0]
        elif kind == 10:
            packet = data[at + 4 : at + length]
        at += length + (-length % 4)
    if number is None:
        continue
    source = struct.unpack_from(">I", packet, 12)[0]
    place = bisect.bisect_right(firsts, source) - 1
    admitted = place >= 0 and source <= lasts[place]
    netlink.send(message(VERDICT, attribute(2, struct.pack(">II", int(admitted), number))))
