"""Security keys for the tests: OpenSSH's own programs with tests/tools/sk_provider.c as their
authenticator, which has the PIN 1234; and a browser's signatures, made by hand."""

import base64
import hashlib
import os
import subprocess

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from rawssh import USERAUTH_REQUEST, boolean, mpint, string, u32
from servers import built

PROVIDER = built("tools", "sk_provider.so")
ED25519 = "sk-ssh-ed25519@openssh.com"
ECDSA = "sk-ecdsa-sha2-nistp256@openssh.com"
WEBAUTHN = "webauthn-sk-ecdsa-sha2-nistp256@openssh.com"
# For ssh: where its authenticator is.
WITH_PROVIDER = ["-o", f"SecurityKeyProvider={PROVIDER}"]


def available(directory):
    """Do ssh-keygen and its helper load the provider?"""
    path = os.path.join(str(directory), "probe")
    try:
        result = keygen(path, "ed25519-sk", check=False)
    except FileNotFoundError:
        return False
    return result.returncode == 0


def askpass(directory):
    """Variables that make OpenSSH's programs ask a script, which knows the PIN."""
    path = os.path.join(str(directory), "askpass")
    if not os.path.exists(path):
        with open(path, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\necho 1234\n")
        os.chmod(path, 0o700)
    return dict(os.environ, SSH_ASKPASS=path, SSH_ASKPASS_REQUIRE="force", DISPLAY=":0")


def keygen(path, kind, *options, check=True):
    words = [word for option in options for word in ("-O", option)]
    return subprocess.run(
        ["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "token", "-w", PROVIDER, *words, "-f",
         str(path)],
        check=check, capture_output=True, stdin=subprocess.DEVNULL, timeout=60,
        env=askpass(os.path.dirname(str(path))))


class Browser:
    """A key that a browser uses for a web site (WebAuthn), with all that can be wrong."""

    def __init__(self, application="example.org"):
        self.private = ec.generate_private_key(ec.SECP256R1())
        self.application = application

    def blob(self):
        point = self.private.public_key().public_bytes(Encoding.X962,
                                                       PublicFormat.UncompressedPoint)
        return (string(ECDSA) + string("nistp256") + string(point) + string(self.application))

    def line(self):
        return f"{ECDSA} {base64.b64encode(self.blob()).decode()} browser"

    def signature(self, data, flags=1, origin="https://example.org", challenge=None,
                  kind="webauthn.get", application=None, tail=b"", extensions=b"", counter=7):
        if challenge is None:
            challenge = data
        text = base64.urlsafe_b64encode(challenge).decode().rstrip("=")
        client_data = (f'{{"type":"{kind}","challenge":"{text}","origin":"{origin}",'
                       '"crossOrigin":false}').encode()
        name = (self.application if application is None else application).encode()
        message = (hashlib.sha256(name).digest() + bytes([flags]) + u32(counter) + extensions
                   + hashlib.sha256(client_data).digest())
        r, s = decode_dss_signature(self.private.sign(message, ec.ECDSA(hashes.SHA256())))
        return (string(WEBAUTHN) + string(mpint(r) + mpint(s)) + bytes([flags]) + u32(counter)
                + string("https://example.org") + string(client_data) + string(extensions) + tail)

    def log_in(self, raw, user="alice", **how):
        """Sends a request over `raw`; the answer's message."""
        body = boolean(True) + string(WEBAUTHN) + string(self.blob())
        data = (string(raw.session_id) + bytes([USERAUTH_REQUEST]) + string(user)
                + string("ssh-connection") + string("publickey") + body)
        raw.request(user, "publickey", body, string(self.signature(data, **how)))
        return raw.answer()
