"""A small SSH client that can be made to break every rule: each message is sent by hand.

Has curve25519-sha256 and its hybrids with ML-KEM and sntrup761, ssh-ed25519 host keys, aes128-ctr
with hmac-sha2-256, and aes128-gcm@openssh.com. Nothing is sent or skipped unless a test asks for it."""

import hashlib
import hmac
import os
import socket
import struct

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_ssh_private_key,
)

import kem
from servers import PATIENCE

MODERN = "aes128-gcm@openssh.com"  # for a server with the default settings: it wants no plain MAC

DISCONNECT, IGNORE, UNIMPLEMENTED, DEBUG, SERVICE_REQUEST, SERVICE_ACCEPT, EXT_INFO = range(1, 8)
KEXINIT, NEWKEYS, KEX_INIT, KEX_REPLY = 20, 21, 30, 31
USERAUTH_REQUEST, USERAUTH_FAILURE, USERAUTH_SUCCESS, USERAUTH_BANNER = 50, 51, 52, 53
PK_OK = PASSWD_CHANGEREQ = INFO_REQUEST = 60
INFO_RESPONSE = 61
GLOBAL_REQUEST, REQUEST_SUCCESS, REQUEST_FAILURE = 80, 81, 82
(CHANNEL_OPEN, OPEN_CONFIRMATION, OPEN_FAILURE, WINDOW_ADJUST, CHANNEL_DATA, EXTENDED_DATA,
 CHANNEL_EOF, CHANNEL_CLOSE, CHANNEL_REQUEST, CHANNEL_SUCCESS, CHANNEL_FAILURE) = range(90, 101)
PING, PONG = 192, 193


def u32(number):
    return struct.pack(">I", number)


def string(value):
    if isinstance(value, str):
        value = value.encode()
    return u32(len(value)) + value


def boolean(value):
    return b"\1" if value else b"\0"


def mpint(number):
    return string(number.to_bytes(number.bit_length() // 8 + 1, "big") if number else b"")


class Reader:
    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, length):
        piece = self.data[self.at : self.at + length]
        assert len(piece) == length, "short message"
        self.at += length
        return piece

    def byte(self):
        return self.take(1)[0]

    def boolean(self):
        return self.byte() != 0

    def u32(self):
        return struct.unpack(">I", self.take(4))[0]

    def string(self):
        return self.take(self.u32())

    def text(self):
        return self.string().decode()

    def names(self):
        return [n for n in self.text().split(",") if n]

    def rest(self):
        return self.take(len(self.data) - self.at)


class Closed(Exception):
    """The server closed the connection. `code` and `reason` are those of its DISCONNECT, if any."""

    def __init__(self, code=None, reason=None):
        super().__init__(f"closed, code {code}: {reason}")
        self.code = code
        self.reason = reason


class Ctr:
    mac_length = 32
    block = 16

    def __init__(self, key, iv, mac_key):
        self.cipher = Cipher(algorithms.AES(key), modes.CTR(iv)).encryptor()
        self.mac_key = mac_key

    def seal(self, seq, packet):
        mac = hmac.new(self.mac_key, u32(seq) + packet, hashlib.sha256).digest()
        return self.cipher.update(packet) + mac

    def open(self, seq, read):
        head = self.cipher.update(read(16))
        length = struct.unpack(">I", head[:4])[0]
        packet = head + self.cipher.update(read(length + 4 - 16))
        mac = hmac.new(self.mac_key, u32(seq) + packet, hashlib.sha256).digest()
        assert mac == read(32), "the server's MAC is wrong"
        return packet[4:]


class Gcm:
    mac_length = 16
    block = 16

    def __init__(self, key, iv, mac_key):
        self.cipher = AESGCM(key)
        self.iv = iv[:12]

    def _next(self):
        iv = self.iv
        counter = (struct.unpack(">Q", iv[4:])[0] + 1) & 0xFFFFFFFFFFFFFFFF
        self.iv = iv[:4] + struct.pack(">Q", counter)
        return iv

    def seal(self, seq, packet):
        return packet[:4] + self.cipher.encrypt(self._next(), packet[4:], packet[:4])

    def open(self, seq, read):
        head = read(4)
        length = struct.unpack(">I", head)[0]
        return self.cipher.decrypt(self._next(), read(length + 16), head)


# By the first name that is offered: what goes before X25519, and the hash. The rest is alone.
HYBRIDS = {
    "mlkem768x25519-sha256": (kem.MlKem, "sha256"),
    "sntrup761x25519-sha512": (kem.Sntrup761, "sha512"),
    "sntrup761x25519-sha512@openssh.com": (kem.Sntrup761, "sha512"),
}
CIPHERS = {"aes128-ctr": Ctr, "aes128-gcm@openssh.com": Gcm}


class Raw:
    def __init__(self, port, *, strict=True, cipher="aes128-ctr", version=b"SSH-2.0-raw\r\n",
                 kex="curve25519-sha256", host_key="ssh-ed25519", ext_info=True, login=None):
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.settimeout(PATIENCE)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.strict = strict
        self.ext_info = ext_info
        self.kex_names = kex
        self.host_key_names = host_key
        self.cipher_name = cipher
        self.version = version
        self.server_version = None
        self.sender = self.receiver = None
        self.send_seq = self.receive_seq = 0
        self.session_id = None
        self.server_kexinit = self.client_kexinit = None
        self.follows = False
        self.channels = 0
        self.announced = None  # the server's host keys, as it told them after login
        if login:
            self.handshake()
            self.service()
            assert self.password(*login)[0] == USERAUTH_SUCCESS

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.sock.close()

    # ---- bytes
    def send_bytes(self, data):
        try:
            self.sock.sendall(data)
        except (ConnectionResetError, BrokenPipeError):
            pass  # the reader will tell

    def _more(self):
        try:
            piece = self.sock.recv(65536)
        except ConnectionResetError:
            piece = b""
        if not piece:
            raise Closed()
        self.buffer += piece

    def read_bytes(self, length):
        while len(self.buffer) < length:
            self._more()
        piece, self.buffer = self.buffer[:length], self.buffer[length:]
        return piece

    def read_line(self):
        while b"\n" not in self.buffer:
            self._more()
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line

    # ---- packets
    def packet(self, payload, padding=None):
        block = self.sender.block if self.sender else 8
        aad = 4 if isinstance(self.sender, Gcm) else 0
        if padding is None:
            padding = block - (5 - aad + len(payload)) % block
            if padding < 4:
                padding += block
        body = bytes([padding]) + payload + os.urandom(padding)
        return u32(len(body)) + body

    def send(self, payload, padding=None):
        packet = self.packet(payload, padding)
        if self.sender:
            packet = self.sender.seal(self.send_seq, packet)
        self.send_seq = (self.send_seq + 1) & 0xFFFFFFFF
        self.send_bytes(packet)

    def receive(self):
        """The next message, whatever it is; DISCONNECT raises Closed."""
        if self.receiver:
            body = self.receiver.open(self.receive_seq, self.read_bytes)
        else:
            body = self.read_bytes(struct.unpack(">I", self.read_bytes(4))[0])
        self.receive_seq = (self.receive_seq + 1) & 0xFFFFFFFF
        payload = body[1 : len(body) - body[0]]
        if payload[0] == DISCONNECT:
            reader = Reader(payload[1:])
            raise Closed(reader.u32(), reader.text())
        if payload[:1] + payload[5:28] == bytes([GLOBAL_REQUEST]) + b"hostkeys-00@openssh.com":
            self.announced = payload
            return self.receive()
        return payload

    def expect(self, *numbers, skip=(IGNORE, DEBUG, EXT_INFO, USERAUTH_BANNER, WINDOW_ADJUST)):
        while True:
            payload = self.receive()
            if payload[0] in numbers:
                return payload
            assert payload[0] in skip, f"wanted {numbers}, got {payload[0]}: {payload!r}"

    def expect_closed(self):
        """Reads until the server closes, and returns what it says."""
        try:
            while True:
                self.receive()
        except Closed as closed:
            return closed

    # ---- the transport protocol
    def exchange_versions(self):
        self.send_bytes(self.version)
        line = self.read_line()
        assert line.startswith(b"SSH-2.0-") and line.endswith(b"\r")
        self.server_version = line[:-1]

    def make_kexinit(self, **changes):
        kex = self.kex_names
        if self.session_id is None:
            kex += ",ext-info-c" if self.ext_info else ""
            kex += ",kex-strict-c-v00@openssh.com" if self.strict else ""
        lists = {
            "kex": kex,
            "host_key": self.host_key_names,
            "cipher_in": self.cipher_name,
            "cipher_out": self.cipher_name,
            "mac_in": "hmac-sha2-256",
            "mac_out": "hmac-sha2-256",
            "compression_in": "none",
            "compression_out": "none",
            "language_in": "",
            "language_out": "",
        }
        follows = changes.pop("follows", False)
        lists.update(changes)
        message = bytes([KEXINIT]) + os.urandom(16)
        message += b"".join(string(value) for value in lists.values())
        return message + boolean(follows) + u32(0)

    def send_kexinit(self, **changes):
        self.client_kexinit = self.make_kexinit(**changes)
        self.send(self.client_kexinit)

    def take_kexinit(self, payload=None):
        self.server_kexinit = payload or self.expect(KEXINIT)
        reader = Reader(self.server_kexinit[17:])
        self.server_lists = [reader.names() for _ in range(10)]
        return self.server_lists

    def send_kex_init(self, public=None):
        kind, self.hash = HYBRIDS.get(self.kex_names.split(",")[0], (None, "sha256"))
        self.kem = kind and kind()
        self.private = X25519PrivateKey.generate()
        self.public = public or (self.kem.public if kind else b"") + _raw(self.private)
        self.send(bytes([KEX_INIT]) + string(self.public))

    def take_kex_reply(self):
        reader = Reader(self.expect(KEX_REPLY)[1:])
        host_key, server_public, signature = reader.string(), reader.string(), reader.string()
        split = self.kem.ciphertext_size if self.kem else 0
        secret = self.private.exchange(X25519PublicKey.from_public_bytes(server_public[split:]))
        if self.kem:
            both = self.kem.secret(server_public[:split]) + secret
            shared = string(hashlib.new(self.hash, both).digest())
        else:
            shared = mpint(int.from_bytes(secret, "big"))
        digest = hashlib.new(
            self.hash,
            string(self.version.rstrip(b"\r\n"))
            + string(self.server_version)
            + string(self.client_kexinit)
            + string(self.server_kexinit)
            + string(host_key)
            + string(self.public)
            + string(server_public)
            + shared
        ).digest()
        self.check_host_key(host_key, signature, digest)
        if self.session_id is None:
            self.session_id = digest
        self.secret, self.digest = shared, digest

    def check_host_key(self, host_key, signature, digest):
        key = Reader(host_key)
        assert key.text() == "ssh-ed25519"
        blob = Reader(signature)
        assert blob.text() == "ssh-ed25519"
        Ed25519PublicKey.from_public_bytes(key.string()).verify(blob.string(), digest)

    def derive(self, letter, length):
        base = self.secret + self.digest
        key = hashlib.new(self.hash, base + letter + self.session_id).digest()
        while len(key) < length:
            key += hashlib.new(self.hash, base + key).digest()
        return key[:length]

    def send_newkeys(self):
        self.send(bytes([NEWKEYS]))
        kind = CIPHERS[self.cipher_name]
        self.sender = kind(self.derive(b"C", 16), self.derive(b"A", 16), self.derive(b"E", 32))
        if self.strict:
            self.send_seq = 0

    def take_newkeys(self):
        self.expect(NEWKEYS)
        kind = CIPHERS[self.cipher_name]
        self.receiver = kind(self.derive(b"D", 16), self.derive(b"B", 16), self.derive(b"F", 32))
        if self.strict:
            self.receive_seq = 0

    def handshake(self):
        if self.server_version is None:
            self.exchange_versions()
        self.send_kexinit()
        self.take_kexinit()
        self.finish_exchange()
        return self

    def finish_exchange(self):
        self.send_kex_init()
        self.take_kex_reply()
        self.send_newkeys()
        self.take_newkeys()

    def rekey(self, skip=(IGNORE,)):
        self.send_kexinit()
        self.take_kexinit(self.expect(KEXINIT, skip=skip))
        self.finish_exchange()

    # ---- authentication
    def service(self, name="ssh-userauth"):
        self.send(bytes([SERVICE_REQUEST]) + string(name))
        return self.expect(SERVICE_ACCEPT)

    def request(self, user, method, *more, service="ssh-connection"):
        self.send(
            bytes([USERAUTH_REQUEST]) + string(user) + string(service) + string(method)
            + b"".join(more)
        )

    def answer(self):
        """The reply to an authentication request."""
        return self.expect(
            USERAUTH_SUCCESS, USERAUTH_FAILURE, INFO_REQUEST, skip=(USERAUTH_BANNER, EXT_INFO)
        )

    def none(self, user):
        self.request(user, "none")
        return self.answer()

    def password(self, user, password, new=None):
        self.request(user, "password", boolean(new is not None), string(password),
                     string(new) if new is not None else b"")
        return self.answer()

    def kbdint(self, user):
        self.request(user, "keyboard-interactive", string(""), string(""))
        return self.answer()

    def respond(self, *responses):
        self.send(bytes([INFO_RESPONSE]) + u32(len(responses)) + b"".join(map(string, responses)))
        return self.answer()

    def public_key(self, user, path, signed=True, algorithm=None, spoil=False, blob=None):
        with open(path, "rb") as file:
            private = load_ssh_private_key(file.read(), None)
        assert isinstance(private, Ed25519PrivateKey)
        blob = blob or string("ssh-ed25519") + string(_raw(private))
        body = (boolean(signed) + string(algorithm or "ssh-ed25519") + string(blob))
        if not signed:
            self.request(user, "publickey", body)
            return self.answer()
        data = (string(self.session_id) + bytes([USERAUTH_REQUEST]) + string(user)
                + string("ssh-connection") + string("publickey") + body)
        signature = private.sign(data + (b"!" if spoil else b""))
        self.request(
            user, "publickey", body, string(string(algorithm or "ssh-ed25519") + string(signature))
        )
        return self.answer()

    # ---- channels
    def open(self, kind="session", window=1 << 20, packet=32768, more=b""):
        number = self.channels
        self.channels += 1
        self.send(bytes([CHANNEL_OPEN]) + string(kind) + u32(number) + u32(window) + u32(packet)
                  + more)
        return number

    def open_session(self, **options):
        """Returns our number, the server's, its window and its largest packet."""
        number = self.open(**options)
        reader = Reader(self.expect(OPEN_CONFIRMATION)[1:])
        assert reader.u32() == number
        return number, reader.u32(), reader.u32(), reader.u32()

    def channel_request(self, theirs, kind, *more, reply=True):
        self.send(bytes([CHANNEL_REQUEST]) + u32(theirs) + string(kind) + boolean(reply)
                  + b"".join(more))

    def run(self, command):
        """Opens a session with a command; returns our number and the server's."""
        ours, theirs, _, _ = self.open_session()
        self.channel_request(theirs, "exec", string(command))
        self.expect(CHANNEL_SUCCESS)
        return ours, theirs

    def data(self, theirs, data):
        self.send(bytes([CHANNEL_DATA]) + u32(theirs) + string(data))


def _raw(private):
    return private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def failure(payload):
    """The methods that can continue, and whether there was partial success."""
    assert payload[0] == USERAUTH_FAILURE, payload
    reader = Reader(payload[1:])
    return reader.names(), reader.boolean()
