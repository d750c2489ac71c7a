"""ssh-ed448 (RFC 8709): AsyncSSH and PuTTY log in with such keys and to such host keys, and files
are taken from both and given to both."""

import asyncio
import os
import shutil
import subprocess
import warnings

import pytest

from cert_tools import CertServer
from sallyportd_tools import *  # fixtures come by their names, too
from servers import PATIENCE

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import asyncssh

needs_putty = pytest.mark.skipif(not (shutil.which("plink") and shutil.which("puttygen")),
                                 reason="no PuTTY")


@pytest.fixture(scope="session")
def key(tmp_path_factory):
    """In OpenSSH's format, by AsyncSSH."""
    path = tmp_path_factory.mktemp("ed448") / "id"
    private = asyncssh.generate_private_key("ssh-ed448", comment="me")
    private.write_private_key(str(path))
    private.write_public_key(str(path) + ".pub")
    os.chmod(path, 0o600)
    return path


def log_in(port, path, host_key=None):
    """By AsyncSSH; the host key's algorithm is returned."""
    async def run():
        known = None
        if host_key is not None:
            known = ([asyncssh.read_public_key(str(host_key) + ".pub")], [], [])
        async with asyncssh.connect(
                "127.0.0.1", port, username="alice", client_keys=[str(path)], config=None,
                known_hosts=known, agent_path=None) as connection:
            result = await connection.run("echo in")
            assert result.stdout == "in\n"
            return connection.get_server_host_key().get_algorithm()
    return asyncio.run(asyncio.wait_for(run(), PATIENCE))


def test_asyncssh_logs_in(key):
    with CertServer(authorized=str(key) + ".pub") as server:
        log_in(server.port, key)
        assert server.wait("login")["security_key"] is False


def test_asyncssh_verifies_the_host(key):
    with CertServer(authorized=str(key) + ".pub", host_key=key) as server:
        assert log_in(server.port, key, host_key=key) == "ssh-ed448"


def test_certified_by_asyncssh(key, tmp_path):
    ca = asyncssh.generate_private_key("ssh-ed448")
    certificate = ca.generate_user_certificate(
        asyncssh.read_public_key(str(key) + ".pub"), "the id", principals=["alice"])
    path = tmp_path / "id"
    shutil.copy(key, path)
    certificate.write_certificate(str(path) + "-cert.pub")
    line = tmp_path / "authorized"
    line.write_text("cert-authority " + ca.export_public_key().decode())
    with CertServer(authorized=line) as server:
        log_in(server.port, path)
        assert server.wait("login")["key_id"] == "the id"


# ---- PuTTY ---------------------------------------------------------------------------------------


def plink(port, path, home, host_print):
    return subprocess.run(
        ["plink", "-batch", "-ssh", "-P", str(port), "-l", "alice", "-i", str(path), "-hostkey",
         host_print, "127.0.0.1", "echo in"],
        capture_output=True, text=True, timeout=2 * PATIENCE, stdin=subprocess.DEVNULL,
        env=dict(os.environ, HOME=str(home)))


def puttygen(*words):
    return subprocess.run(["puttygen", *map(str, words)], capture_output=True, text=True,
                          check=True, stdin=subprocess.DEVNULL, timeout=PATIENCE).stdout


@needs_putty
def test_putty_logs_in(key, tmp_path):
    ppk = tmp_path / "own.ppk"
    empty = tmp_path / "empty"
    empty.write_text("")
    puttygen("-t", "ed448", "-q", "--new-passphrase", empty, "-o", ppk)
    public = tmp_path / "authorized"
    public.write_text(puttygen("-L", ppk))
    host_print = puttygen("-l", str(key) + ".pub").split()[2]
    assert host_print.startswith("SHA256:")
    with CertServer(authorized=public, host_key=key) as server:
        result = plink(server.port, ppk, tmp_path, host_print)
        assert result.stdout == "in\n", result
    with CertServer(authorized=public, host_key=key) as server:
        wrong = "SHA256:" + "A" * 43
        assert plink(server.port, ppk, tmp_path, wrong).stdout == ""


@needs_putty
def test_sallyportd_with_putty_files(serve, key, tmp_path):
    """A host key and a user's key that puttygen has written in OpenSSH's format."""
    empty = tmp_path / "empty"
    empty.write_text("")
    host = tmp_path / "putty_host"
    ppk = tmp_path / "host.ppk"
    puttygen("-t", "ed448", "-q", "--new-passphrase", empty, "-o", ppk)
    puttygen(ppk, "-O", "private-openssh-new", "--new-passphrase", empty, "-o", host)
    host.chmod(0o600)
    server = serve(f"AuthorizedKeysFile={key}.pub", "StrictModes=no", f"HostKey={host}",
                   "HostKeyAlgorithms=ssh-ed448", own_host_keys=True)

    async def run():
        expected = asyncssh.import_public_key(puttygen("-L", ppk))
        async with asyncssh.connect(
                "127.0.0.1", server.port, username=USER, client_keys=[str(key)], config=None,
                known_hosts=([expected], [], []), agent_path=None) as connection:
            assert (await connection.run("echo in")).stdout == "in\n"
    asyncio.run(asyncio.wait_for(run(), PATIENCE))
    server.log(r"Accepted publickey for \S+ from \S+ port \d+ ssh2: ED448 SHA256:\S+$")
