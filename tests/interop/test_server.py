"""The server as a whole: closing, draining, stopping, several addresses."""

import socket
import threading
import time

import pytest

from rawssh import CHANNEL_DATA, CHANNEL_EOF, Closed, Raw, Reader, u32
from servers import PATIENCE

USER = ("user", "secret")


def refused(port):
    """Waits until nobody listens there any more."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            return True
    return False


def test_stop_disconnects_everyone(server):
    held = [Raw(server.port, login=USER) for _ in range(5)] + [Raw(server.port).handshake()]
    for raw in held[:3]:
        raw.run("hold")
    server.tell("stop")
    for raw in held:
        assert raw.expect_closed().code == 11
        raw.sock.close()
    server.wait("stopped", result=0)
    assert refused(server.port)


def test_stop_with_held_answers(server):
    held = []
    for word in ("begin-accept-held", "pw-accept-held"):
        raw = Raw(server.port).handshake()
        raw.service()
        raw.send(
            bytes([50]) + b"".join(len(s).to_bytes(4, "big") + s for s in (
                word.encode(), b"ssh-connection", b"password")) + b"\0" + b"\0\0\0\1x"
        )
        server.wait("question", username=word)
        held.append(raw)
    server.close()
    for raw in held:
        raw.expect_closed()
        raw.sock.close()


def test_close_stops_listening_only(server):
    with Raw(server.port, login=USER) as raw:
        _, theirs = raw.run("echo")
        server.order("close")
        assert refused(server.port)
        raw.data(theirs, b"still here")
        assert Reader(raw.expect(CHANNEL_DATA)[5:]).string() == b"still here"


def test_drain_waits_for_the_last(server):
    with Raw(server.port, login=USER) as raw:
        _, theirs = raw.run("echo")
        server.order("drain 0")
        assert refused(server.port)
        raw.data(theirs, b"x" * 1000)
        raw.send(bytes([CHANNEL_EOF]) + u32(theirs))
        raw.expect(CHANNEL_DATA)
        raw.send(b"\1" + u32(11) + u32(0) + u32(0))
        server.wait("stopped", result=0)


def test_drain_loses_patience(server):
    with Raw(server.port, login=USER) as raw:
        raw.run("hold")
        server.order("drain 200")
        assert raw.expect_closed().code == 11
        server.wait("stopped", result=0)


def test_stop_during_transfers(server):
    """In the middle of everything: no crash, no hang."""
    def run():
        try:
            with Raw(server.port, login=USER) as raw:
                raw.run("flood 1000000000")
                while True:
                    raw.receive()
        except (Closed, AssertionError):
            pass

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for _ in range(4):
        server.wait("started")
    server.tell("stop")
    server.wait("stopped", result=0)
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", ""])
def test_addresses(start_server, address):
    server = start_server("--address", address)
    family = "::1" if address == "::1" else "127.0.0.1"
    try:
        with socket.create_connection((family, server.port)) as sock:
            assert sock.recv(100).startswith(b"SSH-2.0-")
    except OSError as error:
        if address == "::1":
            pytest.skip(f"no IPv6 here: {error}")
        raise


def test_statistics(server):
    with Raw(server.port, login=USER) as raw:
        raw.run("hold")
        stats = server.stats()
        assert (stats["accepted"], stats["logins"], stats["connections"], stats["channels"]) == (
            1, 1, 1, 1,
        )
        assert stats["bytes_received"] > 500 and stats["bytes_sent"] > 500
    with Raw(server.port) as raw:
        raw.handshake()
        raw.service()
        raw.password("user", "wrong")
        assert server.stats()["auth_failures"] >= 1


def test_extra_info(server):
    with Raw(server.port, login=USER) as raw:
        raw.run("info")
        text = b""
        while b"nonsense" not in text:
            text += Reader(raw.expect(CHANNEL_DATA)[5:]).string()
        info = dict(line.split("=", 1) for line in text.decode().splitlines())
    assert info["username"] == "user"
    assert info["client_version"] == "SSH-2.0-raw"
    assert info["server_version"].startswith("SSH-2.0-Sallyport")
    assert info["send_cipher"] == info["recv_cipher"] == "aes128-ctr"
    assert info["send_mac"] == info["recv_mac"] == "hmac-sha2-256"
    assert info["send_compression"] == info["recv_compression"] == "none"
    assert info["kex"] == "curve25519-sha256"
    assert info["server_host_key_alg"] == "ssh-ed25519"
    assert "127.0.0.1" in info["peername"] and str(server.port) in info["sockname"]
    assert info["nonsense"] == "(null)"


def test_banner_after_login(server):
    with Raw(server.port, login=USER) as raw:
        raw.run("banner")
        assert Reader(raw.expect(CHANNEL_DATA)[5:]).string() == b"banner SP_ESTATE\n"
