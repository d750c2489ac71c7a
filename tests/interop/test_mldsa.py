"""ML-DSA-44 with Ed25519, for host keys, clients' keys, CAs and certificates: sallyportd against a
client of our own (composite.py), since no packaged one has them. Experimental: each list must name
them."""

import base64
import shutil
import subprocess

import pytest

from composite import CERTIFICATE, DRAFT, NAME, Composite, CompositeRaw, verifies
from rawssh import USERAUTH_FAILURE, USERAUTH_SUCCESS, Closed, Reader
from sallyportd_tools import *  # fixtures come by their names, too

NAMES = [NAME, DRAFT]
_keys = {}


def key(role, name=NAME):
    """Made once: it takes a while."""
    if (role, name) not in _keys:
        _keys[role, name] = Composite(name)
    return _keys[role, name]


@pytest.fixture
def start(serve, tmp_path):
    def run(*lines, host=None, authorized=()):
        arguments = []
        if host is not None:
            path = tmp_path / "composite_host"
            arguments = ["-h", host.write(path)]
        file = tmp_path / "authorized"
        file.write_text("".join(line + "\n" for line in authorized))
        file.chmod(0o600)
        return serve(f"AuthorizedKeysFile={file}", "StrictModes=no", *lines, arguments=arguments,
                     own_host_keys=host is not None)
    return run


def client(server, host_key="ssh-ed25519"):
    raw = CompositeRaw(server.port, host_key=host_key, cipher="aes128-gcm@openssh.com")
    raw.handshake()
    raw.service()
    return raw


# ---- users' keys --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_user_key(start, name):
    user = key("user", name)
    server = start(f"PubkeyAcceptedAlgorithms=+{name}", authorized=[user.line()])
    with client(server) as raw:
        assert raw.composite(USER, user)[0] == USERAUTH_SUCCESS
    server.log(rf"^Accepted publickey for {USER} from 127.0.0.1 port \d+ ssh2: MLDSA44-ED25519 "
               r"SHA256:")


@pytest.mark.parametrize("spoil", ["mldsa", "ed25519"])
def test_each_half_must_verify(start, spoil):
    user = key("user")
    server = start(f"PubkeyAcceptedAlgorithms=+{NAME}", authorized=[user.line()])
    with client(server) as raw:
        assert raw.composite(USER, user, spoil=spoil)[0] == USERAUTH_FAILURE
        assert raw.composite(USER, user)[0] == USERAUTH_SUCCESS


def test_not_by_default(start):
    user = key("user")
    server = start(authorized=[user.line()])
    with client(server) as raw:
        assert raw.composite(USER, user)[0] == USERAUTH_FAILURE


def test_a_key_that_is_not_authorized(start):
    server = start(f"PubkeyAcceptedAlgorithms=+{NAME}", authorized=[key("user").line()])
    with client(server) as raw:
        assert raw.composite(USER, key("stranger"))[0] == USERAUTH_FAILURE


def test_one_name_is_not_the_other(start):
    user = key("user", DRAFT)
    server = start(f"PubkeyAcceptedAlgorithms=+{NAME}", authorized=[user.line()])
    with client(server) as raw:
        assert raw.composite(USER, user)[0] == USERAUTH_FAILURE


# ---- host keys ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_host_key(start, name):
    host = key("host", name)
    server = start(f"HostKeyAlgorithms=+{name}", host=host)
    for _ in range(3):
        with client(server, host_key=name) as raw:
            assert raw.host_key_blob == host.blob
            raw.rekey()


def test_host_key_not_by_default(call, tmp_path):
    path = key("host").write(tmp_path / "host")
    run = call("-T", "-h", path)
    assert run.returncode == 0
    assert NAME not in settings(run.stdout)["hostkeyalgorithms"][0].split(",")


def test_a_client_without_it(start):
    server = start(f"HostKeyAlgorithms=+{NAME}", host=key("host"))
    with pytest.raises(Closed), CompositeRaw(
            server.port, cipher="aes128-gcm@openssh.com") as raw:
        raw.handshake()


# ---- certificates -------------------------------------------------------------------------------


def trusting(start, tmp_path, ca, *lines):
    path = tmp_path / "cas"
    path.write_text(ca.line() + "\n")
    return start(f"TrustedUserCAKeys={path}", *lines)


@pytest.mark.parametrize("name", NAMES)
def test_user_certificate(start, tmp_path, name):
    user, ca = key("user", name), key("ca", name)
    server = trusting(start, tmp_path, ca, f"PubkeyAcceptedAlgorithms=+{CERTIFICATE[name]}",
                      f"CASignatureAlgorithms=+{name}")
    with client(server) as raw:
        assert raw.composite(USER, user, ca.certify(user, [USER]))[0] == USERAUTH_SUCCESS
    server.log(rf"^Accepted publickey for {USER} from 127.0.0.1 port \d+ ssh2: "
               r"MLDSA44-ED25519-CERT SHA256:\S+ ID the id \(serial 0\) CA MLDSA44-ED25519 SHA256:")


def test_certificates_that_are_refused(start, tmp_path):
    user, ca = key("user"), key("ca")
    server = trusting(start, tmp_path, ca, f"PubkeyAcceptedAlgorithms=+{CERTIFICATE[NAME]}",
                      f"CASignatureAlgorithms=+{NAME}")
    good = ca.certify(user, [USER])
    for certificate, spoil in [(ca.certify(user, [USER], spoil="mldsa"), None),
                               (ca.certify(user, [USER], spoil="ed25519"), None),
                               (ca.certify(user, ["somebody"]), None),
                               (ca.certify(user, [USER], kind=2), None),
                               (key("stranger").certify(user, [USER]), None),
                               (good, "mldsa"), (good, "ed25519")]:
        with client(server) as raw:
            assert raw.composite(USER, user, certificate, spoil)[0] == USERAUTH_FAILURE
    with client(server) as raw:
        assert raw.composite(USER, user, good)[0] == USERAUTH_SUCCESS


def test_a_ca_signature_that_no_list_has(start, tmp_path):
    user, ca = key("user"), key("ca")
    server = trusting(start, tmp_path, ca, f"PubkeyAcceptedAlgorithms=+{CERTIFICATE[NAME]}")
    with client(server) as raw:
        assert raw.composite(USER, user, ca.certify(user, [USER]))[0] == USERAUTH_FAILURE


@pytest.mark.parametrize("name", NAMES)
def test_host_certificate(start, tmp_path, name):
    host, ca = key("host", name), key("ca", name)
    blob = ca.certify(host, ["127.0.0.1"], kind=2)
    path = tmp_path / "host-cert.pub"
    path.write_text(f"{CERTIFICATE[name]} {base64.b64encode(blob).decode()}\n")
    server = start(f"HostCertificate={path}", f"HostKeyAlgorithms=+{CERTIFICATE[name]},{name}",
                   host=host)
    with client(server, host_key=CERTIFICATE[name]) as raw:
        assert raw.host_key_blob == blob
    with client(server, host_key=name) as raw:
        assert raw.host_key_blob == host.blob


# ---- the client itself --------------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("ssh-keygen") is None
                    or NAME not in subprocess.run(["ssh", "-Q", "key"], text=True,
                                                  capture_output=True, check=False).stdout,
                    reason=f"the ssh here has no {NAME}")
def test_ssh(start, tmp_path):
    """With OpenSSH 10.6 or later in both roles."""
    for name in ("user", "host"):
        subprocess.run(["ssh-keygen", "-q", "-t", "mldsa44-ed25519", "-N", "", "-f",
                        tmp_path / name], check=True)
    server = start(f"PubkeyAcceptedAlgorithms=+{NAME}", f"HostKeyAlgorithms=+{NAME}",
                   "HostKey=" + str(tmp_path / "host"),
                   authorized=[(tmp_path / "user.pub").read_text().strip()])
    run = server.ssh("echo in", more=["-i", tmp_path / "user", "-o", f"HostKeyAlgorithms={NAME}"])
    assert run.stdout == "in\n", run


def test_the_client_refuses_what_is_wrong():
    one = key("user")
    signature = one.sign(b"data")
    assert verifies(one.blob, b"data", signature)
    assert not verifies(one.blob, b"date", signature)
    for half in ("mldsa", "ed25519"):
        assert not verifies(one.blob, b"data", one.sign(b"data", half))
    assert Reader(signature).text() == NAME
