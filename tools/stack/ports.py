"""Ports for servers of demos and tests: each is one program's alone until that ends, so that two at the same time are never given the same one.

They lie below those that the kernel gives away by itself, to outgoing connections too: a server finds its port free however long after it was
given, and again when it was stopped and is started anew."""
import secrets
import socket

FIRST, LAST = 12000, 32767       # Linux has its own from 32768 on

_claims = []                     # of this program: names of Unix sockets, which the kernel forgets with it


def free_port():
    while True:
        port = FIRST + secrets.randbelow(LAST - FIRST + 1)
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            claim.bind(f"\0keyward-port-{port}")
            with socket.socket() as s:
                s.bind(("", port))
        except OSError:          # somebody else's
            claim.close()
            continue
        _claims.append(claim)
        return port
