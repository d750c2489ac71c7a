"""User certificates (OpenSSH PROTOCOL.certkeys), revocation, and validate_ca_key of the contract in
all its forms. What is refused is refused for the reason in the log, and for no other."""

import subprocess
import sys

import pytest

from cert_tools import (  # noqa: F401 - fixtures too
    Crafted, is_refused, logs_in, offer, option, serve, shop, ssh, string,
)
from rawssh import INFO_REQUEST, USERAUTH_FAILURE, USERAUTH_SUCCESS, Raw, boolean

PK_OK = INFO_REQUEST  # both are number 60
EXPIRED = "20000101:20000201"
NOT_YET = "20500101:20600101"
IN_2020 = "20200101:20200201"
MID_JANUARY_2020 = 1579000000


def trusting(shop, serve, options="cert-authority", ca="ed25519", **more):
    """A server with one line of authorized keys, for the CA."""
    return serve(authorized=shop.authorized((options, shop.key("ca", ca))), **more)


# ---- taken --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa256", "ecdsa384", "ecdsa521", "rsa"])
def test_each_type_of_key(shop, serve, kind):
    server = trusting(shop, serve)
    path = shop.certificate(shop.key("user", kind), shop.key("ca"), "-z", "12345")
    login = logs_in(server, path)
    assert (login["username"], login["key_id"], login["serial"]) == ("alice", "the id", 12345)
    line = server.logged("accepted publickey")
    assert "certificate 'the id' (serial 12345) of CA SHA256:" in line


@pytest.mark.parametrize("algorithm", ["rsa-sha2-256", "rsa-sha2-512"])
def test_each_signature_of_an_rsa_key(shop, serve, algorithm):
    name = algorithm + "-cert-v01@openssh.com"
    server = trusting(shop, serve, signatures=name)
    path = shop.certificate(shop.key("user", "rsa"), shop.key("ca"))
    logs_in(server, path, algorithms=name)


@pytest.mark.parametrize("kind", ["ecdsa256", "ecdsa521", "rsa"])
def test_each_type_of_ca(shop, serve, kind):
    server = trusting(shop, serve, ca=kind)
    logs_in(server, shop.certificate(shop.key("user"), shop.key("ca", kind)))


def test_an_rsa_ca_that_signs_with_sha256(shop, serve):
    server = trusting(shop, serve, ca="rsa", ca_signatures="rsa-sha2-256")
    logs_in(server, shop.certificate(shop.key("user"), shop.key("ca", "rsa"), "-t", "rsa-sha2-256"))


def test_one_of_several_principals(shop, serve):
    server = trusting(shop, serve)
    logs_in(server, shop.certificate(shop.key("user"), shop.key("ca"), names="bob,alice,carol"))


def test_valid_at_its_time(shop, serve):
    server = trusting(shop, serve, wall=MID_JANUARY_2020)
    logs_in(server, shop.certificate(shop.key("user"), shop.key("ca"), "-V", IN_2020))


@pytest.mark.parametrize("networks", ["127.0.0.1/32", "10.0.0.0/8,127.0.0.0/8", "::1,127.0.0.1"])
def test_source_address(shop, serve, networks):
    server = trusting(shop, serve)
    path = shop.certificate(shop.key("user"), shop.key("ca"), "-O", f"source-address={networks}")
    assert logs_in(server, path)["certificate:source-address"] == networks


def test_extension_that_nobody_knows(shop, serve):
    server = trusting(shop, serve)
    path = shop.certificate(shop.key("user"), shop.key("ca"), "-O", "extension:x@example.com=y")
    logs_in(server, path)


def test_force_command(shop, serve):
    server = trusting(shop, serve)
    path = shop.certificate(shop.key("user"), shop.key("ca"), "-O", "force-command=echo forced")
    result = ssh(server, path, "echo mine")
    assert result.stdout == b"forced\n"
    start = server.wait("start")
    assert (start["command"], start["asked"], start["original"]) == (
        "echo forced", "exec", "echo mine",
    )
    assert server.wait("login")["certificate:force-command"] == "echo forced"


def test_same_command_in_key_and_certificate(shop, serve):
    server = trusting(shop, serve, 'cert-authority,command="echo forced"')
    path = shop.certificate(shop.key("user"), shop.key("ca"), "-O", "force-command=echo forced")
    assert ssh(server, path, "echo mine").stdout == b"forced\n"


def test_certificate_that_permits_no_pty(shop, serve):
    server = trusting(shop, serve)
    path = shop.certificate(shop.key("user"), shop.key("ca"), "-O", "no-pty")
    result = ssh(server, path, "tty", more=["-tt"])
    assert b"PTY allocation request failed" in result.stderr
    assert not server.wait("start")["pty"]
    login = server.wait("login")
    assert login["certificate:pty"] is False and login["certificate:port-forwarding"] is True


def test_certificate_that_permits_a_pty(shop, serve):
    server = trusting(shop, serve)
    path = shop.certificate(shop.key("user"), shop.key("ca"), "-O", "clear", "-O", "permit-pty")
    result = ssh(server, path, "tty", more=["-tt"])
    assert result.stdout.startswith(b"/dev/pts/"), result
    login = server.wait("login")
    assert login["certificate:pty"] is True and login["certificate:port-forwarding"] is False
    assert login["key:pty"] is True and login["key:port-forwarding"] is False


def test_certificate_that_permits_no_forwarding(shop, serve):
    server = trusting(shop, serve, forward="yes")
    path = shop.certificate(shop.key("user"), shop.key("ca"), "-O", "no-port-forwarding")
    result = ssh(server, path, more=["-W", f"127.0.0.1:{server.port}"])
    assert b"administratively prohibited" in result.stderr
    assert not server.seen("connection")


def test_line_narrows_the_certificate(shop, serve):
    server = trusting(shop, serve, "cert-authority,no-pty")
    path = shop.certificate(shop.key("user"), shop.key("ca"))
    assert b"PTY allocation request failed" in ssh(server, path, "tty", more=["-tt"]).stderr


def test_principals_of_the_line(shop, serve):
    server = trusting(shop, serve, 'cert-authority,principals="ops,dev"')
    login = logs_in(server, shop.certificate(shop.key("user"), shop.key("ca"), names="dev"))
    assert login["username"] == "alice"


def test_second_line_fits(shop, serve):
    ca = shop.key("ca")
    server = serve(authorized=shop.authorized(
        ('cert-authority,principals="ops"', ca),
        ('cert-authority,from="10.0.0.0/8"', ca),
        ('cert-authority,principals="dev"', ca),
    ))
    logs_in(server, shop.certificate(shop.key("user"), ca, names="dev"))


def test_list_of_the_user(shop, serve):
    server = serve(user_authorized=shop.authorized(("cert-authority", shop.key("ca"))))
    path = shop.certificate(shop.key("user"), shop.key("ca"), names="alice,nokeys")
    assert b"Permission denied" in ssh(server, path, "true", user="nokeys").stderr
    logs_in(server, path)


def test_list_of_the_user_later(shop, serve):
    server = serve(
        user_authorized=shop.authorized(("cert-authority", shop.key("ca"))), user_later="yes"
    )
    logs_in(server, shop.certificate(shop.key("user"), shop.key("ca")))


def test_other_keys_are_revoked(shop, serve):
    other = shop.certificate(shop.key("other"), shop.key("ca"), "-z", "3")
    server = trusting(shop, serve, revoked=shop.krl(
        "-s", shop.key("ca") + ".pub", spec="serial: 1-11\nserial: 13-99\nid: another id\n"
    ), user_revoked=shop.krl(other + "-cert.pub", shop.key("stranger") + ".pub"))
    logs_in(server, shop.certificate(shop.key("user"), shop.key("ca"), "-z", "12"))


def test_query_then_proof(shop, serve):
    """PK_OK echoes name and blob; nothing of the query is left."""
    crafted = Crafted()
    server = serve(authorized=shop.file(f"cert-authority {crafted.ca_line()}\n"))
    reply = offer(server, crafted, signed=False)
    assert reply == bytes([PK_OK]) + string("ssh-ed25519-cert-v01@openssh.com") + string(
        crafted.blob()
    )
    assert not server.seen("login")
    assert offer(server, crafted)[0] == USERAUTH_SUCCESS


# ---- other clients ------------------------------------------------------------------------------

ASYNCSSH = """
import asyncio, sys, warnings
warnings.simplefilter("ignore")
import asyncssh

async def main(port, path):
    async with asyncssh.connect("127.0.0.1", int(port), username="alice", known_hosts=None,
                                config=None, agent_path=None,
                                client_keys=[(path, path + "-cert.pub")]) as conn:
        print((await conn.run("echo you are in")).stdout, end="")

try:
    asyncio.run(main(*sys.argv[1:]))
except asyncssh.PermissionDenied:
    sys.exit(3)
"""

PARAMIKO = """
import sys, warnings
warnings.simplefilter("ignore")
import paramiko

port, path, kind = sys.argv[1:]
key = getattr(paramiko, kind).from_private_key_file(path)
key.load_certificate(path + "-cert.pub")
transport = paramiko.Transport(("127.0.0.1", int(port)))
transport.start_client(timeout=60)
try:
    transport.auth_publickey("alice", key)
except paramiko.AuthenticationException:
    sys.exit(3)
channel = transport.open_session()
channel.exec_command("echo you are in")
print(channel.makefile().read().decode(), end="")
transport.close()
"""


def by_script(script, server, *arguments):
    return subprocess.run(
        [sys.executable, "-c", script, str(server.port), *arguments],
        capture_output=True, text=True, check=False, timeout=120,
    )


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa384"])
def test_asyncssh(shop, serve, kind):
    server = trusting(shop, serve, ca="ecdsa256")
    path = shop.certificate(shop.key("user", kind), shop.key("ca", "ecdsa256"))
    result = by_script(ASYNCSSH, server, path)
    assert result.stdout == "you are in\n", result
    assert server.wait("login")["key_id"] == "the id"


@pytest.mark.parametrize("kind, name", [
    ("ed25519", "Ed25519Key"), ("ecdsa256", "ECDSAKey"), ("rsa", "RSAKey"),
])
def test_paramiko(shop, serve, kind, name):
    server = trusting(shop, serve, ca="rsa")
    path = shop.certificate(shop.key("user", kind), shop.key("ca", "rsa"))
    result = by_script(PARAMIKO, server, path, name)
    assert result.stdout == "you are in\n", result
    assert server.wait("login")["key_id"] == "the id"


def test_asyncssh_rsa(shop, serve):
    """It has the name of the SHA-1 algorithm only, as sshd has it off."""
    server = trusting(shop, serve)
    path = shop.certificate(shop.key("user", "rsa"), shop.key("ca"))
    assert by_script(ASYNCSSH, server, path).returncode == 3
    server.refused("signature algorithm not enabled")


def test_asyncssh_refused(shop, serve):
    server = trusting(shop, serve)
    path = shop.certificate(shop.key("user"), shop.key("ca"), "-V", EXPIRED)
    assert by_script(ASYNCSSH, server, path).returncode == 3
    server.refused("certificate has expired")


def test_paramiko_refused(shop, serve):
    server = trusting(shop, serve)
    path = shop.certificate(shop.key("user", "rsa"), shop.key("ca"), names="bob")
    assert by_script(PARAMIKO, server, path, "RSAKey").returncode == 3
    server.refused("name is not a listed principal")


# ---- refused ------------------------------------------------------------------------------------

REFUSED = {
    # name: (options of the line, arguments of ssh-keygen, principals, reason)
    "expired": ("cert-authority", ["-V", EXPIRED], "alice", "certificate has expired"),
    "not yet": ("cert-authority", ["-V", NOT_YET], "alice", "certificate is not valid yet"),
    "another name": ("cert-authority", [], "bob", "name is not a listed principal"),
    "a longer name": ("cert-authority", [], "alices", "name is not a listed principal"),
    "a shorter name": ("cert-authority", [], "alic", "name is not a listed principal"),
    "a name in capitals": ("cert-authority", [], "Alice", "name is not a listed principal"),
    "a pattern": ("cert-authority", [], "*", "name is not a listed principal"),
    "no names": ("cert-authority", [], None, "certificate lists no principals"),
    "no names, line with principals": (
        'cert-authority,principals="alice"', [], None, "certificate lists no principals",
    ),
    "unknown critical option": (
        "cert-authority", ["-O", "critical:x@example.com=y"], "alice",
        'unsupported critical option "x@example.com"',
    ),
    "source address": (
        "cert-authority", ["-O", "source-address=10.0.0.0/8,::1"], "alice",
        "source address not allowed",
    ),
    "bad source address": (
        "cert-authority", ["-O", "critical:source-address=here"], "alice",
        'malformed option "source-address"',
    ),
    "name and line": (
        'cert-authority,principals="ops"', [], "alice", "name is not a listed principal",
    ),
    "line's own address": (
        'cert-authority,from="10.0.0.0/8"', [], "alice", "source address not allowed",
    ),
    "line's own end": (
        'cert-authority,expiry-time="20200101"', [], "alice", "key has expired",
    ),
    "commands that differ": (
        'cert-authority,command="echo one"', ["-O", "force-command=echo two"], "alice",
        "forced commands differ",
    ),
    "CA listed as a plain key": ("", [], "alice", "no CA vouches for the certificate"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(shop, serve, name):
    options, arguments, names, reason = REFUSED[name]
    server = trusting(shop, serve, options)
    path = shop.certificate(shop.key("user"), shop.key("ca"), *arguments, names=names)
    is_refused(server, path, reason)


def test_refused_too_late_by_the_given_clock(shop, serve):
    server = trusting(shop, serve, wall=MID_JANUARY_2020 + 86400 * 30)
    path = shop.certificate(shop.key("user"), shop.key("ca"), "-V", IN_2020)
    is_refused(server, path, "certificate has expired")


def test_refused_too_early_by_the_given_clock(shop, serve):
    server = trusting(shop, serve, wall=MID_JANUARY_2020 - 86400 * 30)
    path = shop.certificate(shop.key("user"), shop.key("ca"), "-V", IN_2020)
    is_refused(server, path, "certificate is not valid yet")


def test_refused_unknown_ca(shop, serve):
    server = trusting(shop, serve)
    path = shop.certificate(shop.key("user"), shop.key("other_ca"))
    is_refused(server, path, "no CA vouches for the certificate")


def test_refused_though_the_bare_key_is_listed(shop, serve):
    """Never taken as its bare key; which is good by itself."""
    server = serve(authorized=shop.authorized(("", shop.key("user"))))
    path = shop.certificate(shop.key("user"), shop.key("ca"))
    is_refused(server, path, "no CA vouches for the certificate")
    logs_in(server, path, algorithms="ssh-ed25519")


def test_refused_though_the_application_knows_the_bare_key(shop, serve):
    server = serve(key=shop.key("user") + ".pub")
    path = shop.certificate(shop.key("user"), shop.key("ca"))
    is_refused(server, path, "no CA vouches for the certificate")
    assert not server.seen("question")  # validate_public_key is not asked about a certificate


def test_refused_bare_key_of_a_good_certificate(shop, serve):
    server = trusting(shop, serve)
    is_refused(server, shop.key("user"), "key not accepted", algorithms="ssh-ed25519")


REVOKED = {
    # name: (ssh-keygen -k arguments by the shop and the certificate's path, specification, reason)
    "by serial": (lambda s, p: ["-s", s.key("ca") + ".pub"], "serial: 40-50\n",
                  "certificate is revoked"),
    "by id": (lambda s, p: ["-s", s.key("ca") + ".pub"], "id: the id\n", "certificate is revoked"),
    "itself": (lambda s, p: [p + "-cert.pub"], None, "certificate is revoked"),
    "by its key": (lambda s, p: [s.key("user") + ".pub"], None, "key is revoked"),
    "by its key's hash": (lambda s, p: [], "sha256: {user}\n", "key is revoked"),
    "by its CA": (lambda s, p: [s.key("ca") + ".pub"], None, "CA key is revoked"),
}


@pytest.mark.parametrize("list_of", ["revoked", "user_revoked"])
@pytest.mark.parametrize("name", REVOKED)
def test_refused_revoked(shop, serve, name, list_of):
    arguments, spec, reason = REVOKED[name]
    path = shop.certificate(shop.key("user"), shop.key("ca"), "-z", "42")
    if spec is not None:
        spec = spec.format(user=shop.public(shop.key("user")))
    server = trusting(shop, serve, **{list_of: shop.krl(*arguments(shop, path), spec=spec)})
    is_refused(server, path, reason)


def test_refused_revoked_in_a_text(shop, serve):
    server = trusting(shop, serve, revoked=shop.file(shop.public(shop.key("user")) + "\n"))
    is_refused(server, shop.certificate(shop.key("user"), shop.key("ca")), "key is revoked")


def test_refused_revoked_whatever_the_application_says(shop, serve):
    server = serve(ca=shop.key("ca") + ".pub", revoked=shop.krl(shop.key("ca") + ".pub"))
    is_refused(server, shop.certificate(shop.key("user"), shop.key("ca")), "CA key is revoked")
    assert not server.seen("question")


def test_refused_revoked_plain_key(shop, serve):
    server = serve(
        authorized=shop.authorized(("", shop.key("user"))), key=shop.key("user") + ".pub",
        revoked=shop.krl(shop.key("user") + ".pub"),
    )
    is_refused(server, shop.key("user"), "key is revoked", algorithms="ssh-ed25519")
    assert not server.seen("question")


def test_refused_ca_signature_algorithm(shop, serve):
    server = trusting(shop, serve, ca="rsa", ca_signatures="ssh-ed25519,rsa-sha2-512")
    path = shop.certificate(shop.key("user"), shop.key("ca", "rsa"), "-t", "rsa-sha2-256")
    is_refused(server, path, "CA signature algorithm not allowed")


def test_refused_sha1_signature_of_the_ca(shop, serve):
    server = trusting(shop, serve, ca="rsa")
    path = shop.certificate(shop.key("user"), shop.key("ca", "rsa"), "-t", "ssh-rsa")
    is_refused(server, path, "CA signature algorithm not allowed",
               more=["-o", "CASignatureAlgorithms=+ssh-rsa"])


def test_refused_algorithm_not_enabled(shop, serve):
    server = trusting(shop, serve, signatures="ssh-ed25519,rsa-sha2-512")
    path = shop.certificate(shop.key("user"), shop.key("ca"))
    is_refused(server, path, "signature algorithm not enabled")


# ---- refused, by hand: what no ssh-keygen makes and no client sends -------------------------------

CRAFTED = {
    "host certificate": ({"kind": 2}, {}, "not a user certificate"),
    "bad CA signature": ({"spoil": True}, {}, "bad CA signature"),
    "empty CA signature": ({"signature": string("ssh-ed25519") + string(b"")}, {},
                           "bad CA signature"),
    "names with a comma": ({"names": [b"bob,alice"]}, {}, "name is not a listed principal"),
    "name with a NUL": ({"names": [b"alice\0x"]}, {}, "unusable certificate"),
    "empty name": ({"names": [b""]}, {"user": ""}, None),
    "no such type": ({"kind": 3}, {}, "unusable certificate"),
    "bytes behind it": ({"tail": b"x"}, {}, "unusable certificate"),
    "option twice": ({"critical": option("force-command", string("a")) * 2}, {},
                     "unusable certificate"),
    "options out of order": (
        {"critical": option("source-address", string("127.0.0.1"))
         + option("force-command", string("a"))}, {}, "unusable certificate",
    ),
    "source-address as extension": (
        {"extensions": option("source-address", string("10.0.0.1"))}, {}, None,
    ),
    "force-command without a text": ({"critical": option("force-command", b"abc")}, {},
                                     'malformed option "force-command"'),
    "backwards": ({"after": 2**64 - 1, "before": 0}, {}, "certificate is not valid yet"),
    "another name for the type": ({}, {"algorithm": "rsa-sha2-512-cert-v01@openssh.com"},
                                  "key does not fit the signature algorithm"),
    "bare name for the type": ({}, {"algorithm": "ssh-ed25519"}, "unusable key"),
    "SHA-1 name": ({}, {"algorithm": "ssh-rsa-cert-v01@openssh.com"},
                   "signature algorithm not enabled"),
    "signature of another type": ({}, {"signature_type": "ssh-ed25519-cert-v01@openssh.com"},
                                  "bad signature"),
    "bare key as a certificate": ({}, {"blob": "key"}, "unusable certificate"),
    "CA that is a certificate": ({"ca_blob": "own"}, {}, "unusable certificate"),
    "cut off": ({}, {"blob": "cut"}, "unusable certificate"),
}


@pytest.mark.parametrize("name", CRAFTED)
def test_crafted(shop, serve, name):
    fields, how, reason = CRAFTED[name]
    crafted = Crafted(**{k: v for k, v in fields.items() if v != "own"})
    if fields.get("ca_blob") == "own":
        crafted.fields["ca_blob"] = Crafted().blob()
    server = serve(authorized=shop.file(f"cert-authority {crafted.ca_line()}\n"))
    how = dict(how)
    if how.get("blob") == "key":
        how["blob"] = string("ssh-ed25519") + crafted.blob()[4 + 32 + 36:][:36]
    elif how.get("blob") == "cut":
        how["blob"] = crafted.blob()[:-1]
    reply = offer(server, crafted, **how)
    if name == "source-address as extension":
        assert reply[0] == USERAUTH_SUCCESS  # it restricts only as a critical option
        return
    assert reply[0] == USERAUTH_FAILURE
    assert not server.seen("login")
    if reason is not None:
        server.refused(reason)


def test_crafted_other_key_signs(shop, serve):
    crafted = Crafted()
    server = serve(authorized=shop.file(f"cert-authority {crafted.ca_line()}\n"))
    assert offer(server, crafted, private=Crafted().private)[0] == USERAUTH_FAILURE
    server.refused("bad signature")


def test_crafted_list_of_another_user_does_not_count(shop, serve):
    """begin_auth gave alice's list; the same connection as another name has none."""
    crafted = Crafted(names=[b"alice", b"nokeys"])
    server = serve(user_authorized=shop.file(f"cert-authority {crafted.ca_line()}\n"))
    raw = Raw(server.port)
    raw.handshake()
    raw.service()

    def query(user):
        raw.request(user, "publickey", boolean(False)
                    + string("ssh-ed25519-cert-v01@openssh.com") + string(crafted.blob()))
        return raw.answer()[0]

    assert query("alice") == PK_OK
    assert query("nokeys") == USERAUTH_FAILURE
    assert query("alice") == PK_OK
    raw.sock.close()


# ---- validate_ca_key ----------------------------------------------------------------------------


def asking(shop, serve, **options):
    return serve(ca=shop.key("ca") + ".pub", **options)


def test_validate_ca_key_default(shop, serve):
    server = serve(key=shop.key("other") + ".pub")
    path = shop.certificate(shop.key("user"), shop.key("ca"))
    is_refused(server, path, "no CA vouches for the certificate")


@pytest.mark.parametrize("mode", ["accept", "later"])
def test_validate_ca_key_accept(shop, serve, mode):
    server = asking(shop, serve, ca_mode=mode)
    login = logs_in(server, shop.certificate(shop.key("user"), shop.key("ca")))
    assert login["key_id"] == "the id"
    questions = server.seen("question")
    assert [q["signed"] for q in questions] == [False, True]
    assert all(q["ca_key"] == "alice" and q["known"] for q in questions)


@pytest.mark.parametrize("mode", ["refuse", "later-refuse", "release"])
def test_validate_ca_key_refuse(shop, serve, mode):
    server = asking(shop, serve, ca_mode=mode)
    path = shop.certificate(shop.key("user"), shop.key("ca"))
    is_refused(server, path, "no CA vouches for the certificate")


def test_validate_ca_key_later_after_disconnect(shop, serve):
    crafted = Crafted()
    server = serve(ca=shop.file(crafted.ca_line() + "\n"), ca_mode="keep")
    raw = Raw(server.port)
    raw.handshake()
    raw.service()
    raw.request("alice", "publickey", boolean(False)
                + string("ssh-ed25519-cert-v01@openssh.com") + string(crafted.blob()))
    server.wait("question")
    raw.sock.close()
    assert server.wait("late")["result"] == "the connection or its channel is gone"


def test_validate_ca_key_answered_twice(shop, serve):
    server = asking(shop, serve, ca_mode="twice")
    logs_in(server, shop.certificate(shop.key("user"), shop.key("ca")))
    assert server.wait("first")["result"] != server.wait("second")["result"]
    assert server.wait("second")["result"] == "already answered or done"


@pytest.mark.parametrize("mode", ["accept", "later"])
def test_validate_ca_key_with_principals(shop, serve, mode):
    server = asking(shop, serve, ca_mode=mode, principals="ops:dev")
    logs_in(server, shop.certificate(shop.key("user"), shop.key("ca"), names="dev"))


@pytest.mark.parametrize("mode", ["accept", "later"])
def test_validate_ca_key_other_principals(shop, serve, mode):
    server = asking(shop, serve, ca_mode=mode, principals="ops:dev")
    path = shop.certificate(shop.key("user"), shop.key("ca"), names="alice")
    is_refused(server, path, "name is not a listed principal")


@pytest.mark.parametrize("mode", ["accept", "later"])
def test_validate_ca_key_with_options(shop, serve, mode):
    server = asking(shop, serve, ca_mode=mode, options='no-pty,command="echo forced"')
    path = shop.certificate(shop.key("user"), shop.key("ca"))
    assert ssh(server, path, "echo mine").stdout == b"forced\n"
    login = server.wait("login")
    assert (login["key:command:0"], login["key:pty"]) == ("echo forced", False)


def test_validate_ca_key_options_that_refuse(shop, serve):
    server = asking(shop, serve, options='from="10.0.0.0/8"')
    path = shop.certificate(shop.key("user"), shop.key("ca"))
    is_refused(server, path, "source address not allowed")


@pytest.mark.parametrize("options", ["restrict,frob", "command=x", "cert-authority", "pty ssh-rsa"])
def test_validate_ca_key_options_that_nobody_understands(shop, serve, options):
    server = asking(shop, serve, options=options)
    path = shop.certificate(shop.key("user"), shop.key("ca"))
    is_refused(server, path, "no CA vouches for the certificate")


@pytest.mark.parametrize("fields, reason", [
    (["-V", EXPIRED], "certificate has expired"),
    (["-O", "critical:x@example.com=y"], 'unsupported critical option "x@example.com"'),
    (["-O", "source-address=10.0.0.0/8"], "source address not allowed"),
])
def test_validate_ca_key_is_not_asked_in_vain(shop, serve, fields, reason):
    server = asking(shop, serve)
    is_refused(server, shop.certificate(shop.key("user"), shop.key("ca"), *fields), reason)
    assert not server.seen("question")


def test_validate_ca_key_by_a_list(shop, serve):
    listed = shop.authorized(('cert-authority,principals="dev",no-pty', shop.key("ca")))
    server = serve(ca_list=listed, ca_mode="list")
    login = logs_in(server, shop.certificate(shop.key("user"), shop.key("ca"), names="dev"))
    assert login["key:pty"] is False
    assert server.wait("look_up")["result"] == "success"
    assert server.wait("both")["result"] == "invalid argument"


def test_validate_ca_key_by_a_list_without_it(shop, serve):
    listed = shop.authorized(("cert-authority", shop.key("other_ca")))
    server = serve(ca_list=listed, ca_mode="list")
    path = shop.certificate(shop.key("user"), shop.key("ca"))
    result = ssh(server, path, "true")
    assert b"Permission denied" in result.stderr
    assert server.wait("look_up")["result"] == "no such file or name"
