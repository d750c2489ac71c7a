"""Security keys (OpenSSH PROTOCOL.u2f): ssh logs in with ed25519-sk and ecdsa-sk keys, plain and
certified, and each rule about touch and PIN holds, in the library and in sallyportd. A browser's
signatures are made by hand. The authenticator is tests/tools/sk_provider.c."""

import re
import subprocess

import pytest

import sk_tools
from cert_tools import CertServer, Workshop, is_refused, logs_in, ssh
from rawssh import USERAUTH_FAILURE, USERAUTH_SUCCESS, Raw
from sallyportd_tools import *  # fixtures come by their names, too
from sk_tools import ECDSA, ED25519, WEBAUTHN, WITH_PROVIDER

NO_TOUCH = "security key was not touched"
NO_PIN = "security key has not verified its user"
KINDS = {"ed25519-sk": ED25519, "ecdsa-sk": ECDSA}
VARIANTS = {"touch": (), "silent": ("no-touch-required",), "pin": ("verify-required",)}


class Tokens(Workshop):
    """Each kind of key as one that is touched, one that is not, and one with a PIN."""

    def token(self, kind="ed25519-sk", variant="touch"):
        path = self.path(f"{kind}_{variant}")
        try:
            open(path, encoding="utf-8").close()
        except FileNotFoundError:
            sk_tools.keygen(path, kind, *VARIANTS[variant])
        return path


@pytest.fixture(scope="session")
def shop(tmp_path_factory):
    directory = tmp_path_factory.mktemp("tokens")
    if not sk_tools.available(directory):
        pytest.skip("ssh-keygen has no use for our security key")
    return Tokens(directory)


def enters(server, path, algorithm=None):
    return logs_in(server, path, algorithms=algorithm, more=WITH_PROVIDER)


def kept_out(server, path, reason, algorithm=None):
    return is_refused(server, path, reason, algorithms=algorithm, more=WITH_PROVIDER)


@pytest.fixture(autouse=True)
def pin(monkeypatch, shop):
    for name, value in sk_tools.askpass(shop.directory).items():
        monkeypatch.setenv(name, value)


# ---- the library, by lists -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_logs_in(shop, kind):
    path = shop.token(kind)
    with CertServer(authorized=shop.authorized(("", path))) as server:
        login = enters(server, path, KINDS[kind])
        assert (login["security_key"], login["touched"], login["verified"]) == (True, True, False)
        assert login["webauthn"] is False and login["counter"] == 0x01020304


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("line, variant, reason", [
    ("", "silent", NO_TOUCH),
    ("restrict", "silent", NO_TOUCH),
    ("no-touch-required", "silent", None),
    ("no-touch-required", "touch", None),
    ("verify-required", "touch", NO_PIN),
    ("verify-required", "pin", None),
    ("no-touch-required,verify-required", "silent", NO_PIN),
])
def test_what_a_line_asks_for(shop, kind, line, variant, reason):
    path = shop.token(kind, variant)
    with CertServer(authorized=shop.authorized((line, path))) as server:
        if reason is None:
            login = enters(server, path)
            assert login["touched"] == (variant != "silent")
            assert login["verified"] == (variant == "pin")
        else:
            kept_out(server, path, reason)


def test_server_asks_for_more(shop):
    silent, touch, both = (shop.token("ed25519-sk", name) for name in ("silent", "touch", "pin"))
    lines = shop.authorized(*(("no-touch-required", path) for path in (silent, touch, both)))
    with CertServer(authorized=lines, touch_required="yes") as server:
        kept_out(server, silent, NO_TOUCH)
        enters(server, touch)
    with CertServer(authorized=lines, verify_required="yes") as server:
        kept_out(server, touch, NO_PIN)
        enters(server, both)


# ---- the library, by answers of the application --------------------------------------------------


@pytest.mark.parametrize("options, variant, reason", [
    (None, "touch", None),
    (None, "silent", NO_TOUCH),
    ("no-touch-required", "silent", None),
    ("verify-required", "touch", NO_PIN),
    ("verify-required", "pin", None),
])
def test_application_decides(shop, options, variant, reason):
    path = shop.token("ecdsa-sk", variant)
    more = {"options": options} if options else {}
    with CertServer(key=path + ".pub", **more) as server:
        if reason is None:
            login = enters(server, path)
            assert (login["touched"], login["verified"]) == (variant != "silent", variant == "pin")
        else:
            kept_out(server, path, reason)
        assert server.wait("security_key")["application"] == "ssh:"


# ---- certificates --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("line, extra, variant, reason", [
    ("cert-authority", (), "touch", None),
    ("cert-authority", ("no-touch-required",), "silent", NO_TOUCH),
    ("cert-authority,no-touch-required", (), "silent", NO_TOUCH),
    ("cert-authority,no-touch-required", ("no-touch-required",), "silent", None),
    ("cert-authority", ("verify-required",), "touch", NO_PIN),
    ("cert-authority", ("verify-required",), "pin", None),
    ("cert-authority,verify-required", (), "touch", NO_PIN),
])
def test_certified(shop, kind, line, extra, variant, reason):
    ca = shop.key("ca")
    words = [word for option in extra for word in ("-O", option)]
    path = shop.certificate(shop.token(kind, variant), ca, *words)
    algorithm = KINDS[kind].replace("@openssh.com", "-cert-v01@openssh.com")
    with CertServer(authorized=shop.authorized((line, ca))) as server:
        if reason is None:
            assert enters(server, path, algorithm)["key_id"] == "the id"
        else:
            kept_out(server, path, reason, algorithm)


@pytest.mark.parametrize("kind", KINDS)
def test_a_ca_may_be_a_security_key(shop, kind):
    for variant, reason in (("touch", None), ("silent", "CA signed without a touch")):
        ca = shop.token(kind, variant)
        path = shop.certificate(shop.key("user"), ca, "-w", sk_tools.PROVIDER)
        with CertServer(authorized=shop.authorized(("cert-authority", ca))) as server:
            if reason is None:
                logs_in(server, path)
            else:
                is_refused(server, path, reason)


# ---- browsers ------------------------------------------------------------------------------------


def browser_server(browser, shop, options=""):
    return CertServer(authorized=shop.file(f"{options} {browser.line()}\n".lstrip()))


def test_a_browser_logs_in(shop):
    browser = sk_tools.Browser()
    with browser_server(browser, shop) as server, Raw(server.port) as raw:
        raw.handshake()
        raw.service()
        assert browser.log_in(raw, flags=5)[0] == USERAUTH_SUCCESS
        login = server.wait("login")
        assert login["webauthn"] and login["touched"] and login["verified"]
        assert login["counter"] == 7


@pytest.mark.parametrize("how", [
    {"challenge": b"of yesterday"}, {"kind": "webauthn.create"},
    {"origin": "https://evil.example"}, {"application": "evil.example"}, {"tail": b"\0"},
    {"flags": 0x41}, {"flags": 0x81}, {"extensions": b"\xa0"},
], ids=str)
def test_what_a_browser_must_not_send(shop, how):
    browser = sk_tools.Browser()
    with browser_server(browser, shop) as server, Raw(server.port) as raw:
        raw.handshake()
        raw.service()
        assert browser.log_in(raw, **how)[0] == USERAUTH_FAILURE
        server.refused("bad signature")
        assert browser.log_in(raw)[0] == USERAUTH_SUCCESS


def test_browser_and_touch(shop):
    browser = sk_tools.Browser()
    with browser_server(browser, shop) as server, Raw(server.port) as raw:
        raw.handshake()
        raw.service()
        assert browser.log_in(raw, flags=4)[0] == USERAUTH_FAILURE
        server.refused(NO_TOUCH)
    with browser_server(browser, shop, "no-touch-required") as server, Raw(server.port) as raw:
        raw.handshake()
        raw.service()
        assert browser.log_in(raw, flags=0)[0] == USERAUTH_SUCCESS


def test_algorithms_are_announced(shop):
    with CertServer(authorized=shop.authorized(("", shop.token()))) as server:
        result = ssh(server, shop.token(), "true", algorithms=None,
                     more=[*WITH_PROVIDER, "-v"])
        listed = re.search(rb"server-sig-algs=<([^>]*)>", result.stderr).group(1).decode()
        for name in (ED25519, ECDSA, WEBAUTHN, "ssh-ed448"):
            assert name in listed.split(",")


# ---- RSA -----------------------------------------------------------------------------------------


def test_rsa_below_the_limit(shop):
    key = shop.key("short", "rsa")
    with CertServer(authorized=shop.authorized(("", key)), rsa_bits=3072) as server:
        is_refused(server, key, "RSA key is too short", algorithms=None)
    with CertServer(authorized=shop.authorized(("", key))) as server:
        logs_in(server, key, algorithms=None)


# ---- sallyportd ----------------------------------------------------------------------------------


def daemon(serve, shop, line, variant, *lines):
    path = shop.token("ed25519-sk", variant)
    server = serve(f"AuthorizedKeysFile={shop.authorized((line, path))}", "StrictModes=no", *lines)

    def log_in():
        return server.ssh("echo in", more=["-i", path, "-o", "IdentitiesOnly=yes", "-o",
                                           "BatchMode=no", *WITH_PROVIDER])
    return server, log_in


@pytest.mark.parametrize("demand, line, variant, enters", [
    (None, "", "touch", True),
    (None, "", "silent", False),
    (None, "no-touch-required", "silent", True),
    ("none", "no-touch-required", "silent", True),
    ("touch-required", "no-touch-required", "silent", False),
    ("touch-required", "no-touch-required", "touch", True),
    ("verify-required", "", "touch", False),
    ("verify-required", "", "pin", True),
    ("verify-required", "no-touch-required", "silent", False),
    ("touch-required verify-required", "no-touch-required", "pin", True),
])
def test_pubkey_auth_options(serve, shop, demand, line, variant, enters):
    server, log_in = daemon(serve, shop, line, variant,
                            *([f"PubkeyAuthOptions={demand}"] if demand else []))
    result = log_in()
    assert (result.stdout == "in\n") == enters, result
    if enters:
        print_ = subprocess.run(["ssh-keygen", "-lf", shop.token("ed25519-sk", variant)],
                                capture_output=True, text=True, check=True).stdout.split()[1]
        server.log(rf"Accepted publickey for \S+ from \S+ port \d+ ssh2: ED25519-SK "
                   f"{re.escape(print_)}$")
    else:
        server.log(NO_TOUCH + "|" + NO_PIN)


def test_verify_required_leaves_waived_touch_alone(serve, shop):
    """PIN, but no touch: an option of the server's must not bring back what the line waives."""
    path = shop.path("pin_without_touch")
    sk_tools.keygen(path, "ed25519-sk", "no-touch-required", "verify-required")
    for options, enters in (("no-touch-required", True), ("", False)):
        server = serve(f"AuthorizedKeysFile={shop.authorized((options, path))}", "StrictModes=no",
                       "PubkeyAuthOptions=verify-required")
        result = server.ssh("echo in", more=["-i", path, "-o", "IdentitiesOnly=yes", "-o",
                                             "BatchMode=no", *WITH_PROVIDER])
        assert (result.stdout == "in\n") == enters, result


def test_principals_and_demands(serve, shop):
    ca = shop.key("ca")
    cas = shop.file(shop.public(ca) + "\n")
    principals = shop.file("no-touch-required alice\n")
    for variant, demand, enters in (("silent", "none", True), ("silent", "touch-required", False),
                                    ("touch", "touch-required", True),
                                    ("touch", "verify-required", False)):
        path = shop.certificate(shop.token("ed25519-sk", variant), ca, "-O", "no-touch-required")
        server = serve(f"TrustedUserCAKeys={cas}", f"AuthorizedPrincipalsFile={principals}",
                       "StrictModes=no", f"PubkeyAuthOptions={demand}")
        result = server.ssh("echo in", more=["-i", path, "-o", "IdentitiesOnly=yes", "-o",
                                             "BatchMode=no", *WITH_PROVIDER])
        assert (result.stdout == "in\n") == enters, (variant, demand, result)
