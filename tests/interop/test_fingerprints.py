"""What sallyportd prints of host keys (-F) and logs of clients' keys: byte for byte what ssh-keygen
prints, for each type and both hashes (RFC 4255, RFC 6594, RFC 7479)."""

import re
import subprocess

import pytest

from sallyportd_tools import *  # fixtures come by their names, too

pytestmark = needs_ssh

KINDS = {"ed25519": [], "ecdsa": ["-b", "521"], "rsa": ["-b", "2048"]}


def keygen(*words):
    return subprocess.run(["ssh-keygen", *map(str, words)], check=True, capture_output=True,
                          text=True, stdin=subprocess.DEVNULL).stdout


@pytest.fixture(scope="module")
def host_keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hosts")
    for kind, more in KINDS.items():
        keygen("-q", "-t", kind, *more, "-N", "", "-C", "a.example", "-f", folder / kind)
    return [folder / kind for kind in KINDS]


@pytest.mark.parametrize("hash_", ["sha256", "md5"])
def test_host_keys_as_ssh_keygen_prints_them(call, host_keys, hash_):
    flags = [word for path in host_keys for word in ("-h", path)]
    run = call("-F", "a.example", *flags, "-o", f"FingerprintHash={hash_}")
    assert run.returncode == 0 and run.stderr == "", run
    expected = ""
    for path in host_keys:
        expected += keygen("-lv", "-E", hash_, "-f", f"{path}.pub")
        expected += keygen("-r", "a.example", "-f", f"{path}.pub")
    assert run.stdout == expected
    assert run.stdout.count(" IN SSHFP ") == 2 * len(host_keys)


def test_keys_of_the_state_directory(call, environment):
    first = call("-F", "h")  # makes them
    assert first.returncode == 0 and first.stdout.count(" IN SSHFP ") == 6
    assert call("-F", "h").stdout == first.stdout


def test_names_that_are_none(call, host_key):
    for name in ("", "a b", "a\nb"):
        run = call("-F", name, "-h", host_key)
        assert run.returncode == 1 and "invalid argument" in run.stderr.lower(), run


@pytest.mark.parametrize("hash_", ["sha256", "md5"])
def test_clients_key_in_the_log(serve, tmp_path, hash_):
    for kind in ("ed25519", "ecdsa", "rsa"):
        path = tmp_path / kind
        keygen("-q", "-t", kind, "-N", "", "-f", path)
        server = serve(f"AuthorizedKeysFile={path}.pub", "StrictModes=no",
                       f"FingerprintHash={hash_}")
        assert server.ssh("true", more=["-i", path, "-o", "IdentitiesOnly=yes"]).returncode == 0
        print_ = keygen("-l", "-E", hash_, "-f", path).split()[1]
        server.log(rf"Accepted publickey for \S+ from \S+ port \d+ ssh2: {kind.upper()} "
                   f"{re.escape(print_)}$")


def test_token_of_commands(serve, tmp_path):
    """%f of AuthorizedKeysCommand, as sshd fills it in."""
    path = tmp_path / "id"
    keygen("-q", "-t", "ed25519", "-N", "", "-f", path)
    server = serve("AuthorizedKeysFile=none",
                   "AuthorizedKeysCommand=/usr/bin/echo 'command=\"echo %f\" %t %k'",
                   f"AuthorizedKeysCommandUser={USER}", "FingerprintHash=md5")
    result = server.ssh("x", more=["-i", path, "-o", "IdentitiesOnly=yes"])
    assert result.stdout.strip() == keygen("-l", "-E", "md5", "-f", path).split()[1], result
