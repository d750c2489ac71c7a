"""What the tests of certificates and key options share: keys and certificates by ssh-keygen, or of
any form by hand; tests/tools/cert_server; and ssh as it logs in there."""

import os
import shutil
import signal
import subprocess

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from keys import KINDS, run
from rawssh import USERAUTH_REQUEST, Raw, boolean, string, u32
from servers import PATIENCE, Program, built, parse_json

ONLY_CERTIFICATES = "*-cert-v01@openssh.com"


class CertServer(Program):
    """Takes names without dashes: CertServer(authorized=path, ca_mode="later")."""

    parse = staticmethod(parse_json)

    def __init__(self, **options):
        arguments = [built("tools", "cert_server")]
        for name, value in options.items():
            arguments += ["--" + name.replace("_", "-"), str(value)]
        super().__init__(arguments)
        self.port = self.wait("listening")["port"]
        self.stopped = False

    def wait(self, name, **fields):
        def wanted(event):
            return event.get("event") == name and all(event.get(k) == v for k, v in fields.items())

        return self.out.wait(wanted)

    def logged(self, text):
        """Waits for a line of the log with this text, and returns it."""
        return self.out.wait(lambda e: e.get("event") == "log" and text in e["text"])["text"]

    def refused(self, reason):
        """Waits for an attempt that failed for just this reason."""
        return self.out.wait(
            lambda e: e.get("event") == "log"
            and e["text"].startswith("failed publickey for ")
            and e["text"].endswith(": " + reason)
        )["text"]

    def seen(self, name):
        with self.out.condition:
            return [e for e in self.out.items if e.get("event") == name]

    def close(self):
        if self.stopped:
            return
        self.stopped = True
        code = self.finish(lambda: self.process.send_signal(signal.SIGTERM))
        assert code == 0, f"cert_server ended with {code}: " + "\n".join(self.err.items[-20:])

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        try:
            self.close()
        except AssertionError:
            if kind is None:
                raise


class Workshop:
    """Makes keys once, and certificates, each in a folder of its own."""

    def __init__(self, directory):
        self.directory = str(directory)
        self.count = 0

    def path(self, name):
        return os.path.join(self.directory, name)

    def key(self, name, kind="ed25519"):
        path = self.path(f"{name}_{kind}")
        if not os.path.exists(path):
            kind, bits = KINDS[kind]
            run("ssh-keygen", "-q", "-t", kind, "-N", "", "-C", name, "-f", path,
                *(["-b", bits] if bits else []))
        return path

    def public(self, path):
        with open(path + ".pub", encoding="utf-8") as file:
            return file.read().strip()

    def file(self, text):
        self.count += 1
        path = self.path(f"file{self.count}")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def authorized(self, *lines):
        """A file of lines, each (options, path of a private key)."""
        return self.file("".join(
            (options + " " if options else "") + self.public(path) + "\n" for options, path in lines
        ))

    def certificate(self, key, ca, *options, names="alice", key_id="the id"):
        """Copies the key and signs it; returns the copy's path, with -cert.pub beside it."""
        self.count += 1
        folder = self.path(f"cert{self.count}")
        os.mkdir(folder)
        path = os.path.join(folder, "id")
        shutil.copy(key, path)
        shutil.copy(key + ".pub", path + ".pub")
        run("ssh-keygen", "-q", "-s", ca, "-I", key_id, *(["-n", names] if names else []),
            *options, path + ".pub")
        return path

    def krl(self, *arguments, spec=None):
        self.count += 1
        path = self.path(f"krl{self.count}")
        if spec is not None:
            arguments = [*arguments, self.file(spec)]
        run("ssh-keygen", "-q", "-k", "-f", path, *arguments)
        return path


def ssh(server, path, *command, user="alice", algorithms=ONLY_CERTIFICATES, more=(), input=b""):
    """Logs in with a key, and the certificate beside it, and nothing else."""
    arguments = [
        "ssh", "-F", "none", "-p", str(server.port), "-l", user, "-i", path,
        "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
        "-o", "GlobalKnownHostsFile=/dev/null", "-o", "PreferredAuthentications=publickey",
        "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-o", "LogLevel=INFO",
    ]
    if algorithms:
        arguments += ["-o", f"PubkeyAcceptedAlgorithms={algorithms}"]
    return subprocess.run(
        [*arguments, *more, "127.0.0.1", *command],
        input=input, capture_output=True, timeout=2 * PATIENCE, check=False,
    )


def logs_in(server, path, **options):
    result = ssh(server, path, "echo you are in", **options)
    assert result.returncode == 0 and result.stdout == b"you are in\n", (result, server.out.items)
    return server.wait("login")


def is_refused(server, path, reason, **options):
    result = ssh(server, path, "echo you are in", **options)
    assert result.returncode == 255 and b"Permission denied" in result.stderr, result
    assert not server.seen("login") and not server.seen("start")
    return server.refused(reason)


# ---- certificates by hand ------------------------------------------------------------------------


def raw_public(private):
    return private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def u64(number):
    return number.to_bytes(8, "big")


class Crafted:
    """An ed25519 certificate whose fields can be anything."""

    def __init__(self, **fields):
        self.private = Ed25519PrivateKey.generate()
        self.ca = Ed25519PrivateKey.generate()
        self.fields = {
            "name": b"ssh-ed25519-cert-v01@openssh.com", "nonce": string(b"n" * 32),
            "key": None, "serial": 7, "kind": 1, "id": b"crafted", "names": [b"alice"],
            "after": 0, "before": 2**64 - 1, "critical": b"", "extensions": b"", "reserved": b"",
            "ca_blob": None, "signature": None, "spoil": False, "tail": b"", **fields,
        }

    def ca_blob(self):
        return string("ssh-ed25519") + string(raw_public(self.ca))

    def ca_line(self):
        import base64

        return "ssh-ed25519 " + base64.b64encode(self.ca_blob()).decode()

    def blob(self):
        f = self.fields
        body = (
            string(f["name"]) + f["nonce"]
            + (string(raw_public(self.private)) if f["key"] is None else f["key"])
            + u64(f["serial"]) + u32(f["kind"]) + string(f["id"])
            + string(b"".join(string(n) for n in f["names"]))
            + u64(f["after"]) + u64(f["before"]) + string(f["critical"]) + string(f["extensions"])
            + string(f["reserved"]) + string(f["ca_blob"] or self.ca_blob())
        )
        signature = self.ca.sign(body + (b"!" if f["spoil"] else b""))
        return body + string(
            f["signature"] or string("ssh-ed25519") + string(signature)
        ) + f["tail"]


def option(name, data=b""):
    return string(name) + string(data)


def offer(server, crafted, user="alice", *, algorithm="ssh-ed25519-cert-v01@openssh.com",
          signature_type="ssh-ed25519", signed=True, private=None, blob=None):
    """Tries one certificate over a connection of our own; returns the reply's payload."""
    raw = Raw(server.port)
    try:
        raw.handshake()
        raw.service()
        body = boolean(signed) + string(algorithm) + string(blob or crafted.blob())
        signature = b""
        if signed:
            data = (string(raw.session_id) + bytes([USERAUTH_REQUEST]) + string(user)
                    + string("ssh-connection") + string("publickey") + body)
            signature = string(string(signature_type)
                               + string((private or crafted.private).sign(data)))
        raw.request(user, "publickey", body, signature)
        return raw.answer()
    finally:
        raw.sock.close()


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return Workshop(tmp_path_factory.mktemp("shop"))


@pytest.fixture
def serve():
    running = []

    def start(**options):
        running.append(CertServer(**options))
        return running[-1]

    yield start
    for server in running:
        server.close()
