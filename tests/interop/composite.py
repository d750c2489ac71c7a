"""Keys of ML-DSA-44 with Ed25519 as a client has them (draft-ietf-sshm-composite-sigs-00,
draft-ietf-lamps-pq-composite-sigs): no packaged client knows them. Shares no code with the library.
"""

import base64
import hashlib
import os

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import mldsa44
from rawssh import USERAUTH_REQUEST, Raw, Reader, boolean, string, u32

NAME = "ssh-mldsa44-ed25519"  # OpenSSH 10.6
DRAFT = "ssh-mldsa44-ed25519@openssh.com"  # OpenSSH 10.4, 10.5
CERTIFICATE = {NAME: "ssh-mldsa44-ed25519-cert",
               DRAFT: "ssh-mldsa44-ed25519-cert-v01@openssh.com"}
LABEL = b"COMPSIG-MLDSA44-Ed25519-SHA512"


def representative(data):
    return b"CompositeAlgorithmSignatures2025" + LABEL + b"\0" + hashlib.sha512(data).digest()


class Composite:
    def __init__(self, name=NAME):
        self.name = name
        self.seeds = os.urandom(64)
        self.mldsa = mldsa44.Key(self.seeds[:32])
        self.ed25519 = Ed25519PrivateKey.from_private_bytes(self.seeds[32:])
        self.points = self.mldsa.public + self.ed25519.public_key().public_bytes(
            Encoding.Raw, PublicFormat.Raw)
        self.blob = string(name) + string(self.points)

    def line(self):
        return f"{self.name} {base64.b64encode(self.blob).decode()}"

    def sign(self, data, spoil=None):
        """A signature blob; `spoil`: the half ("mldsa", "ed25519") that is over something else."""
        def half(name):
            return representative(data + b"!" if spoil == name else data)
        return string(self.name) + string(
            self.mldsa.sign(half("mldsa"), LABEL) + self.ed25519.sign(half("ed25519")))

    def write(self, path):
        """In OpenSSH's format, not encrypted, as PROTOCOL.key has it."""
        check = os.urandom(4)
        section = (check + check + string(self.name) + string(self.points) + string(self.seeds)
                   + string("a comment"))
        section += bytes(range(1, 1 + -len(section) % 8))
        data = (b"openssh-key-v1\0" + string("none") + string("none") + string("") + u32(1)
                + string(self.blob) + string(section))
        text = base64.encodebytes(data).decode()
        path.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n" + text
                        + "-----END OPENSSH PRIVATE KEY-----\n")
        path.chmod(0o600)
        return path

    def certify(self, key, names, kind=1, spoil=None):
        """The blob of a certificate for another key, good for ever."""
        body = (string(CERTIFICATE[key.name]) + string(os.urandom(32)) + string(key.points)
                + bytes(8) + u32(kind) + string("the id")
                + string(b"".join(string(name) for name in names)) + bytes(8) + b"\xff" * 8
                + string("") + string("") + string("") + string(self.blob))
        return body + string(self.sign(body, spoil))


def verifies(blob, data, signature):
    """`blob` is a public key's."""
    key, inner = Reader(blob), Reader(signature)
    name, points = key.text(), key.string()
    if inner.text() != name or name not in CERTIFICATE:
        return False
    halves = inner.string()
    assert not key.rest() and not inner.rest()
    try:
        Ed25519PublicKey.from_public_bytes(points[1312:]).verify(halves[2420:],
                                                                 representative(data))
    except InvalidSignature:
        return False
    return mldsa44.verify(points[:1312], representative(data), halves[:2420], LABEL)


class CompositeRaw(Raw):
    """A client that takes such host keys, and certificates of theirs, and logs in with such keys."""

    host_key_blob = None

    def check_host_key(self, host_key, signature, digest):
        name = Reader(host_key).text()
        self.host_key_blob = host_key
        if name in CERTIFICATE.values():
            reader = Reader(host_key)
            reader.string(), reader.string()  # the name, a nonce
            plain = next(n for n, certificate in CERTIFICATE.items() if certificate == name)
            host_key = string(plain) + string(reader.string())
        if name.startswith("ssh-mldsa44"):
            assert verifies(host_key, digest, signature), "the host key's signature is wrong"
        else:
            super().check_host_key(host_key, signature, digest)

    def composite(self, user, key, certificate=None, spoil=None):
        """Tries a key, or the certificate for it; the reply."""
        algorithm = key.name if certificate is None else CERTIFICATE[key.name]
        body = boolean(True) + string(algorithm) + string(certificate or key.blob)
        data = (string(self.session_id) + bytes([USERAUTH_REQUEST]) + string(user)
                + string("ssh-connection") + string("publickey") + body)
        self.request(user, "publickey", body, string(key.sign(data, spoil)))
        return self.answer()
