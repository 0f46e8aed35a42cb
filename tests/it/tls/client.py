"""A TLS client of twenty-five years ago: one handshake, one request.

Arguments: PORT VERSION CIPHER FORM. VERSION is ssl3, tls1.0 or tls1.1; CIPHER 3des, rc4 or aes128;
FORM of the hello plain, sslv2 or dribble (plain, byte by byte). The request comes from standard
input. Prints one JSON object: what was agreed on, and the answer. As the client does on Windows XP,
it sends no server name nor any other extension, and the first byte of a request in a record of its
own. Verifies nothing.
"""

import hashlib
import json
import socket
import sys

from tlslite.api import HandshakeSettings, TLSConnection
from tlslite.constants import CipherSuite
from tlslite.messages import ClientHello, RecordHeader2

VERSIONS = {"ssl3": (3, 0), "tls1.0": (3, 1), "tls1.1": (3, 2)}
PATIENCE_SECS = 20


class Dribble:
    """A socket that sends one byte in a segment."""

    def __init__(self, sock):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = sock

    def send(self, data):
        self.sendall(data)
        return len(data)

    def sendall(self, data):
        for byte in bytes(data):
            self.sock.sendall(bytes([byte]))

    def __getattr__(self, name):
        return getattr(self.sock, name)


class OldClient(TLSConnection):
    form = "plain"

    def _sendMsg(self, msg, randomizeFirstBlock=True, update_hashes=True):
        if isinstance(msg, ClientHello):
            # Newer than these clients.
            newer = CipherSuite.TLS_EMPTY_RENEGOTIATION_INFO_SCSV
            msg.cipher_suites = [suite for suite in msg.cipher_suites if suite != newer]
            msg.extensions = None
            if self.form == "sslv2":
                msg.ssl2 = True
                body = msg.write()
                self._handshake_hash.update(body)
                self.sock.send(RecordHeader2().create(len(body)).write() + body)
                self.sock.flush()
                return
        yield from super()._sendMsg(msg, randomizeFirstBlock, update_hashes)


def main():
    port, version, cipher, form = sys.argv[1:]
    settings = HandshakeSettings()
    settings.minVersion = settings.maxVersion = VERSIONS[version]
    settings.cipherNames = [cipher]
    settings.macNames = ["sha", "md5"]
    settings.keyExchangeNames = ["rsa"]
    settings.useExtendedMasterSecret = False
    settings.useEncryptThenMAC = False

    sock = socket.create_connection(("127.0.0.1", int(port)), PATIENCE_SECS)
    client = OldClient(Dribble(sock) if form == "dribble" else sock)
    client.form = form
    client.handshakeClientCert(settings=settings)
    # Forgotten when the server closes.
    agreed = "%d.%d" % client.version, client.getCipherName()
    leaf = client.session.serverCertChain.x509List[0].bytes
    client.sendall(sys.stdin.buffer.read())
    answer = b""
    while chunk := client.recv(4096):
        answer += chunk
    print(json.dumps({
        "version": agreed[0],
        "cipher": agreed[1],
        "certificate": hashlib.sha256(leaf).hexdigest(),
        "answer": answer.decode(),
    }))


main()
