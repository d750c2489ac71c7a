"""The transport protocol against a client that breaks the rules, or uses corners of them."""

import os
import struct
import time

import pytest

from rawssh import (
    CHANNEL_SUCCESS,
    DEBUG,
    EXT_INFO,
    GLOBAL_REQUEST,
    IGNORE,
    KEX_INIT,
    KEX_REPLY,
    KEXINIT,
    NEWKEYS,
    PING,
    PONG,
    REQUEST_FAILURE,
    SERVICE_ACCEPT,
    SERVICE_REQUEST,
    UNIMPLEMENTED,
    USERAUTH_SUCCESS,
    Closed,
    Raw,
    Reader,
    boolean,
    string,
    u32,
)
from servers import PATIENCE

USER = ("user", "secret")


def ended(server, raw, code=None):
    """The server ends the connection, and says so with that code."""
    closed = raw.expect_closed()
    if code is not None:
        assert closed.code == code, closed
    server.wait("lost")
    return closed


def still_serves(server):
    with Raw(server.port, login=USER) as raw:
        raw.run("exit 0")


# ---- version exchange (RFC 4253 4.2) ------------------------------------------------------------


def test_version_line(server):
    with Raw(server.port) as raw:
        assert raw.read_line() == b"SSH-2.0-Sallyport_0.1.0\r"  # before the client says anything


def test_version_is_settable(start_server):
    server = start_server("--version", "Other_1 with a comment")
    with Raw(server.port) as raw:
        assert raw.read_line() == b"SSH-2.0-Other_1 with a comment\r"


@pytest.mark.parametrize(
    "version", [b"SSH-2.0-x\n", b"SSH-2.0-x y z\r\n", b"SSH-2.0-" + b"x" * 245 + b"\r\n"]
)
def test_version_accepted(server, version):
    with Raw(server.port, version=version) as raw:
        raw.handshake()
        raw.service()


@pytest.mark.parametrize(
    "version",
    [
        b"SSH-1.5-x\r\n",
        b"SSH-3.0-x\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"hello\r\nSSH-2.0-x\r\n",  # lines before the version are the server's privilege
        b"\r\n",
        b"SSH-2.0-" + b"x" * 246 + b"\r\n",  # 256 bytes
        b"x" * 300,
        b"SSH-2.0-a\0b\r\n",
        b"\0\0\0\x0c\x0a\x14",
    ],
)
def test_version_refused(server, version):
    with Raw(server.port, version=version) as raw:
        raw.send_bytes(version)
        try:
            raw.read_line()
        except Closed:
            pass
        while True:  # whatever is sent before the end is text or a packet in the clear
            try:
                raw._more()
            except Closed:
                break
        server.wait("lost")
    still_serves(server)


def test_version_byte_by_byte(server):
    with Raw(server.port) as raw:
        for byte in raw.version:
            raw.send_bytes(bytes([byte]))
        raw.version, line = raw.version, raw.read_line()
        raw.server_version = line[:-1]
        raw.send_kexinit()
        raw.take_kexinit()
        raw.finish_exchange()


def test_version_never_comes(start_server):
    """One line with a deadline: the login timer."""
    server = start_server("--login-timeout", 300)
    with Raw(server.port) as raw:
        raw.read_line()
        with pytest.raises(Closed):
            while True:
                raw._more()
        server.wait("lost", error="timed out")


# ---- packets (RFC 4253 6) -----------------------------------------------------------------------


@pytest.mark.parametrize("length", [0, 1, 3, 4, 11, 256 * 1024 + 1, 0x7FFFFFFF, 0xFFFFFFFF])
def test_packet_length_before_keys(server, length):
    with Raw(server.port) as raw:
        raw.exchange_versions()
        raw.take_kexinit()
        raw.send_bytes(u32(length) + b"\x04" + b"x" * 64)
        ended(server, raw, 2)
    still_serves(server)


@pytest.mark.parametrize("padding", [0, 3])
def test_packet_padding_too_short(server, padding):
    with Raw(server.port) as raw:
        raw.exchange_versions()
        raw.take_kexinit()
        payload = bytes([IGNORE]) + string(b"x" * ((8 - (10 + padding) % 8) % 8))
        raw.send(payload, padding=padding)
        ended(server, raw, 2)


def test_packet_padding_beyond_packet(server):
    with Raw(server.port) as raw:
        raw.exchange_versions()
        raw.take_kexinit()
        raw.send_bytes(u32(12) + bytes([255]) + b"x" * 11)
        ended(server, raw, 2)


def test_packet_long_padding(server):
    with Raw(server.port) as raw:
        raw.handshake()
        payload = bytes([SERVICE_REQUEST]) + string("ssh-userauth")
        padding = 255 - (5 + len(payload) + 255) % 16
        raw.send(payload, padding=padding)
        raw.expect(SERVICE_ACCEPT)


@pytest.mark.parametrize("cipher", ["aes128-ctr", "aes128-gcm@openssh.com"])
def test_packet_too_long_under_keys(server, cipher):
    with Raw(server.port, cipher=cipher) as raw:
        raw.handshake()
        raw.send(bytes([IGNORE]) + string(b"x" * (300 * 1024)))
        ended(server, raw, 2)
    still_serves(server)


@pytest.mark.parametrize("cipher", ["aes128-ctr", "aes128-gcm@openssh.com"])
def test_packet_altered(server, cipher):
    with Raw(server.port, cipher=cipher) as raw:
        raw.handshake()
        packet = raw.sender.seal(raw.send_seq, raw.packet(bytes([SERVICE_REQUEST]) + string("ssh-userauth")))
        spoiled = packet[:-1] + bytes([packet[-1] ^ 1])
        raw.send_bytes(spoiled)
        ended(server, raw, 5)
        assert server.wait("lost")["code"] == 5


def test_packet_missing(server):
    """A packet that was cut out: the next one's MAC is wrong."""
    with Raw(server.port) as raw:
        raw.handshake()
        raw.send_seq += 1
        raw.send(bytes([SERVICE_REQUEST]) + string("ssh-userauth"))
        ended(server, raw)
        assert not server.seen("login")


def test_packet_empty(server):
    with Raw(server.port) as raw:
        raw.handshake()
        raw.send(b"")
        ended(server, raw, 2)


# ---- negotiation and key exchange ---------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"kex": "diffie-hellman-group1-sha1"},
        {"kex": ""},
        {"host_key": "ssh-dss"},
        {"cipher_in": "3des-cbc"},
        {"cipher_out": "none"},
        {"mac_in": "hmac-md5"},
        {"compression_in": "zlib"},
    ],
)
def test_nothing_in_common(server, changes):
    with Raw(server.port) as raw:
        raw.exchange_versions()
        raw.send_kexinit(**changes)
        raw.take_kexinit()
        ended(server, raw, 3)


def test_offered_algorithms(server):
    with Raw(server.port) as raw:
        raw.exchange_versions()
        kex, host_key, cipher_in, cipher_out, mac_in, mac_out, comp_in, comp_out, _, _ = raw.take_kexinit()
        assert kex[:4] == [
            "mlkem768x25519-sha256", "sntrup761x25519-sha512",
            "sntrup761x25519-sha512@openssh.com", "curve25519-sha256",
        ]
        assert {"ext-info-s", "kex-strict-s-v00@openssh.com"} <= set(kex)
        assert set(host_key) == {
            "ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521",
            "rsa-sha2-512", "rsa-sha2-256",
        }
        assert "ssh-rsa" not in host_key
        assert cipher_in == cipher_out and mac_in == mac_out and comp_in == comp_out
        assert comp_in == ["none", "zlib@openssh.com"]


def test_guess_right(start_server):
    server = start_server("--kex", "curve25519-sha256,ecdh-sha2-nistp256")
    with Raw(server.port) as raw:
        raw.exchange_versions()
        raw.send_kexinit(follows=True)
        raw.send_kex_init()
        kex, host_key = raw.take_kexinit()[:2]
        assert (kex[0], host_key[0]) == ("curve25519-sha256", "ssh-ed25519")
        raw.take_kex_reply()
        raw.send_newkeys()
        raw.take_newkeys()
        raw.service()


@pytest.mark.parametrize(
    "changes",
    [
        {"kex": "ecdh-sha2-nistp521,curve25519-sha256,kex-strict-c-v00@openssh.com"},
        {"host_key": "rsa-sha2-256,ssh-ed25519"},
    ],
)
def test_guess_wrong(start_server, keys, changes):
    """The guessed packet is skipped, whatever it is."""
    server = start_server(
        "--host-key-algorithms", "ssh-ed25519,ecdsa-sha2-nistp256",
        "--kex", "curve25519-sha256,ecdh-sha2-nistp256",
    )
    with Raw(server.port) as raw:
        raw.exchange_versions()
        raw.send_kexinit(follows=True, **changes)
        raw.send(bytes([KEX_INIT]) + string(b"\x04" + os.urandom(132)))
        raw.take_kexinit()
        raw.finish_exchange()
        raw.service()


def test_guess_skips_one_packet_only(server):
    with Raw(server.port) as raw:
        raw.exchange_versions()
        raw.send_kexinit(
            follows=True, kex="ecdh-sha2-nistp521,curve25519-sha256,kex-strict-c-v00@openssh.com"
        )
        raw.take_kexinit()
        raw.send(bytes([KEX_INIT]) + string(b"wrong"))
        raw.send(bytes([KEX_INIT]) + string(b"wrong"))
        ended(server, raw)


@pytest.mark.parametrize(
    "public", [bytes(32), b"\1" + bytes(31), b"short", bytes(31), bytes(33), b"",
               bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800")]
)
def test_bad_x25519(server, public):
    """RFC 8731 3: the all-zero result, and values of a wrong length, are refused."""
    with Raw(server.port) as raw:
        raw.exchange_versions()
        raw.send_kexinit()
        raw.take_kexinit()
        raw.send(bytes([KEX_INIT]) + string(public))
        closed = ended(server, raw)
        assert closed.code in (2, 3)


@pytest.mark.parametrize("name, size", [("ecdh-sha2-nistp256", 32), ("ecdh-sha2-nistp521", 66)])
@pytest.mark.parametrize("form", ["infinity", "off the curve", "compressed", "short"])
def test_bad_ecdh(server, name, size, form):
    points = {
        "infinity": b"\0",
        "off the curve": b"\4" + b"\1" * (2 * size),
        "compressed": b"\2" + b"\1" * size,
        "short": b"\4" + b"\1" * size,
    }
    with Raw(server.port, kex=name) as raw:
        raw.exchange_versions()
        raw.send_kexinit()
        raw.take_kexinit()
        raw.send(bytes([KEX_INIT]) + string(points[form]))
        assert ended(server, raw).code in (2, 3)


def test_kexinit_twice(server):
    with Raw(server.port) as raw:
        raw.exchange_versions()
        raw.send_kexinit()
        raw.take_kexinit()
        raw.send_kexinit()
        ended(server, raw, 2)


def test_kexinit_malformed(server):
    with Raw(server.port) as raw:
        raw.exchange_versions()
        raw.take_kexinit()
        raw.send(raw.make_kexinit()[:-7])
        assert ended(server, raw).code in (2, 3)


def test_kexinit_long_lists(server):
    """Name lists have a limit."""
    with Raw(server.port) as raw:
        raw.exchange_versions()
        raw.take_kexinit()
        raw.send(raw.make_kexinit(kex=",".join(f"kex{i}" for i in range(9000))))
        ended(server, raw)


@pytest.mark.parametrize(
    "message", [IGNORE, DEBUG, UNIMPLEMENTED, 7, 5, 50, 90, 192, 255]
)
def test_strict_key_exchange(server, message):
    """Terrapin: nothing but the exchange's own messages in the first one."""
    bodies = {IGNORE: string("x"), DEBUG: b"\0" + string("x") + string(""), UNIMPLEMENTED: u32(0)}
    with Raw(server.port) as raw:
        raw.exchange_versions()
        raw.send_kexinit()
        raw.take_kexinit()
        raw.send(bytes([message]) + bodies.get(message, b""))
        ended(server, raw, 2)


def test_strict_key_exchange_before_kexinit(server):
    """A message that came before the client's KEXINIT is found out when strictness is known."""
    with Raw(server.port) as raw:
        raw.exchange_versions()
        raw.send(bytes([IGNORE]) + string("x"))
        raw.send_kexinit()
        raw.take_kexinit()
        raw.send_kex_init()
        ended(server, raw)


def test_not_strict_takes_ignore(server):
    with Raw(server.port, strict=False) as raw:
        raw.exchange_versions()
        raw.send(bytes([IGNORE]) + string("x"))
        raw.send_kexinit()
        raw.take_kexinit()
        raw.send(bytes([DEBUG]) + b"\0" + string("x") + string(""))
        raw.finish_exchange()
        raw.service()
        assert raw.password(*USER)[0] == USERAUTH_SUCCESS


@pytest.mark.parametrize("message", [5, 6, 20, 30, 31, 50, 52, 60, 80, 90, 98])
def test_wrong_message_instead_of_newkeys(server, message):
    with Raw(server.port, strict=False) as raw:
        raw.exchange_versions()
        raw.send_kexinit()
        raw.take_kexinit()
        raw.send_kex_init()
        raw.take_kex_reply()
        raw.take_newkeys()
        raw.send(bytes([message]) + string("ssh-userauth"))
        ended(server, raw, 2)
    assert not server.seen("question")


def test_newkeys_too_early(server):
    with Raw(server.port) as raw:
        raw.exchange_versions()
        raw.send_kexinit()
        raw.take_kexinit()
        raw.send(bytes([NEWKEYS]))
        ended(server, raw, 2)


def test_ext_info(server):
    """RFC 8308: first behind NEWKEYS, and only for clients that asked."""
    with Raw(server.port) as raw:
        raw.handshake()
        payload = raw.receive()
        assert payload[0] == EXT_INFO
        reader = Reader(payload[1:])
        extensions = {reader.text(): reader.string() for _ in range(reader.u32())}
        algorithms = extensions["server-sig-algs"].decode().split(",")
        assert {"ssh-ed25519", "rsa-sha2-256", "rsa-sha2-512"} <= set(algorithms)
        assert "ssh-rsa" not in algorithms
        assert extensions["ping@openssh.com"] == b"0"


def test_no_ext_info_unasked(server):
    with Raw(server.port, ext_info=False) as raw:
        raw.handshake()
        raw.send(bytes([SERVICE_REQUEST]) + string("ssh-userauth"))
        assert raw.receive()[0] == SERVICE_ACCEPT


def test_unknown_service(server):
    with Raw(server.port) as raw:
        raw.handshake()
        raw.send(bytes([SERVICE_REQUEST]) + string("ssh-mail"))
        ended(server, raw, 7)


def test_connection_service_before_authentication(server):
    with Raw(server.port) as raw:
        raw.handshake()
        raw.send(bytes([SERVICE_REQUEST]) + string("ssh-connection"))
        ended(server, raw, 7)


# ---- messages that must not get through before authentication -----------------------------------


@pytest.mark.parametrize("stage", ["first", "service"])
@pytest.mark.parametrize(
    "message", [6, 21, 30, 31, 51, 52, 53, 80, 81, 82, 90, 91, 93, 94, 96, 97, 98, 99, 100]
)
def test_before_authentication(server, stage, message):
    """The server's own messages, and the connection protocol (CVE-2018-10933 and its family)."""
    with Raw(server.port) as raw:
        raw.handshake()
        if stage == "service":
            raw.service()
        raw.send(bytes([message]) + string("session") + u32(0) + u32(1 << 20) + u32(32768))
        ended(server, raw, 2)
    assert not server.seen("login")
    assert not server.seen("question", handler="session_requested")


def test_channel_open_while_authentication_is_pending(server):
    with Raw(server.port) as raw:
        raw.handshake()
        raw.service()
        raw.request("pw-accept-held", "password", boolean(False), string("x"))
        server.wait("question", handler="validate_password")
        raw.open()
        ended(server, raw, 2)
    assert not server.seen("question", handler="session_requested")


@pytest.mark.parametrize("message", [9, 19, 22, 29, 130, 200, 255])
def test_unknown_messages(server, message):
    """Answered with UNIMPLEMENTED and their sequence number (RFC 4253 11.4)."""
    with Raw(server.port, login=USER) as raw:
        sequence = raw.send_seq
        raw.send(bytes([message]) + b"whatever")
        payload = raw.expect(UNIMPLEMENTED)
        assert struct.unpack(">I", payload[1:5])[0] == sequence
        raw.run("exit 0")


# ---- the small messages -------------------------------------------------------------------------


def test_ping(server):
    with Raw(server.port, login=USER) as raw:
        raw.send(bytes([PING]) + string(b"are you there"))
        assert raw.expect(PONG) == bytes([PONG]) + string(b"are you there")


def test_ping_before_authentication(server):
    with Raw(server.port) as raw:
        raw.handshake()
        raw.service()
        raw.send(bytes([PING]) + string(b"x"))
        assert raw.expect(PONG) == bytes([PONG]) + string(b"x")


def test_ignore_and_debug(server):
    with Raw(server.port, login=USER) as raw:
        raw.send(bytes([IGNORE]) + string(os.urandom(1000)))
        raw.send(bytes([DEBUG]) + boolean(True) + string("grüß dich") + string("de"))
        event = server.wait("debug")
        assert (event["message"], event["language"], event["always_display"]) == (
            "grüß dich", "de", True,
        )
        raw.run("exit 0")


def test_debug_not_utf8(server):
    """Checked: what is not UTF-8 does not reach the handler."""
    with Raw(server.port, login=USER) as raw:
        raw.send(bytes([DEBUG]) + boolean(True) + string(b"\xff\xfe") + string(""))
        raw.run("exit 0")
        assert not server.seen("debug")


def test_debug_is_sent(server):
    with Raw(server.port, login=USER) as raw:
        server.order("debug hello there")
        reader = Reader(raw.expect(DEBUG, skip=(EXT_INFO,))[1:])
        assert (reader.boolean(), reader.text(), reader.text()) == (False, "hello there", "en")


def test_disconnect_from_client(server):
    with Raw(server.port, login=USER) as raw:
        raw.send(b"\1" + u32(11) + string("bye\x1b[31m now") + string(""))
        event = server.wait("lost")
        assert event["error"] is None  # by application: a clean close


def test_disconnect_from_client_with_error(server):
    with Raw(server.port, login=USER) as raw:
        raw.send(b"\1" + u32(4711) + string("bye\x1b[31m now") + string(""))
        event = server.wait("lost")
        assert (event["code"], event["from_peer"]) == (4711, True)
        assert "\x1b" not in event["message"]  # cleaned of control characters


def test_disconnect_from_server(server):
    with Raw(server.port, login=USER) as raw:
        server.order("disconnect")
        closed = raw.expect_closed()
        assert (closed.code, closed.reason) == (11, "ordered")
        server.wait("lost")


def test_connection_lost_without_disconnect(server):
    with Raw(server.port, login=USER) as raw:
        raw.sock.close()
        assert server.wait("lost")["error"] is not None


def test_unknown_global_request(server):
    with Raw(server.port, login=USER) as raw:
        raw.send(bytes([GLOBAL_REQUEST]) + string("nonsense@example.com") + boolean(True))
        raw.expect(REQUEST_FAILURE)
        raw.send(bytes([GLOBAL_REQUEST]) + string("nonsense@example.com") + boolean(False))
        raw.run("exit 0")


def test_client_keepalive(server):
    """keepalive@openssh.com is an unknown request that wants a reply: any reply will do."""
    with Raw(server.port, login=USER) as raw:
        for _ in range(3):
            raw.send(bytes([GLOBAL_REQUEST]) + string("keepalive@openssh.com") + boolean(True))
            raw.expect(REQUEST_FAILURE)


# ---- time ---------------------------------------------------------------------------------------


def test_keepalives(start_server):
    """Sent after a silence, and a client that answers is kept."""
    server = start_server("--keepalive", 100)
    with Raw(server.port, login=USER) as raw:
        for _ in range(5):
            payload = raw.expect(GLOBAL_REQUEST)
            assert payload[1:] == string("keepalive@openssh.com") + boolean(True)
            raw.send(bytes([REQUEST_FAILURE]))
        raw.run("exit 0")


def test_keepalives_unanswered(start_server):
    server = start_server("--keepalive", 100, "--keepalive-count", 2)
    with Raw(server.port, login=USER) as raw:
        raw.expect(GLOBAL_REQUEST)
        assert server.wait("lost")["error"] is not None
        raw.expect_closed()


@pytest.mark.parametrize("stage", ["version", "kexinit", "service", "auth", "later"])
def test_login_timeout(start_server, stage):
    """From accept to success, wherever the client stops."""
    server = start_server("--login-timeout", 500)
    with Raw(server.port) as raw:
        if stage != "version":
            raw.exchange_versions()
        if stage in ("service", "auth", "later"):
            raw.handshake()
        if stage in ("auth", "later"):
            raw.service()
        if stage == "later":
            raw.request("pw-accept-held", "password", boolean(False), string("x"))
        if stage == "version":
            with pytest.raises(Closed):
                while True:
                    raw._more()
        else:
            raw.expect_closed()
        assert server.wait("lost")["error"] == "timed out"


def test_login_timeout_ends_with_login(start_server):
    server = start_server("--login-timeout", 700)
    with Raw(server.port, login=USER) as raw:
        started = time.monotonic()
        # Traffic until well after the time-out would have struck.
        while time.monotonic() - started < 1.5:
            raw.send(bytes([PING]) + string(b"x"))
            raw.expect(PONG)
        raw.run("exit 0")


# ---- rekeying -----------------------------------------------------------------------------------


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("cipher", ["aes128-ctr", "aes128-gcm@openssh.com"])
def test_client_rekeys(server, strict, cipher):
    with Raw(server.port, strict=strict, cipher=cipher, login=USER) as raw:
        session = raw.session_id
        for _ in range(3):
            raw.rekey()
            assert raw.session_id == session  # RFC 4253 7.2
        raw.run("exit 0")


def test_server_rekeys(server):
    with Raw(server.port, login=USER) as raw:
        server.order("rekey")
        raw.take_kexinit(raw.expect(KEXINIT))
        raw.send_kexinit()
        raw.finish_exchange()
        raw.run("exit 0")


def test_rekey_with_requests_in_between(server):
    """What the client asks after the server's KEXINIT and before its own is answered afterwards."""
    with Raw(server.port, login=USER) as raw:
        server.order("rekey")
        raw.take_kexinit(raw.expect(KEXINIT))
        raw.send(bytes([GLOBAL_REQUEST]) + string("one@example.com") + boolean(True))
        raw.send(bytes([GLOBAL_REQUEST]) + string("two@example.com") + boolean(True))
        raw.send_kexinit()
        raw.finish_exchange()
        raw.expect(REQUEST_FAILURE)
        raw.expect(REQUEST_FAILURE)


def test_rekey_before_authentication(server):
    with Raw(server.port) as raw:
        raw.handshake()
        raw.service()
        raw.rekey(skip=(IGNORE, EXT_INFO))
        assert raw.password(*USER)[0] == USERAUTH_SUCCESS


def test_rekey_never_finished(start_server):
    """A client that starts an exchange and goes no further does not stay for ever."""
    server = start_server("--keepalive", 100, "--keepalive-count", 2, "--login-timeout", 1000)
    with Raw(server.port, login=USER) as raw:
        raw.send_kexinit()
        raw.expect(KEXINIT, skip=(GLOBAL_REQUEST, EXT_INFO))
        raw.expect_closed()
        server.wait("lost")


def test_rekey_messages_out_of_order(server):
    for message in (KEX_REPLY, NEWKEYS, KEXINIT, 5, 50, 52):
        with Raw(server.port, login=USER) as raw:
            start = server.mark()
            raw.send_kexinit()
            raw.take_kexinit(raw.expect(KEXINIT))
            raw.send(bytes([message]) + string("x"))
            assert raw.expect_closed().code == 2, message
            server.wait("lost", start=start)


def test_kex_init_without_kexinit(server):
    with Raw(server.port, login=USER) as raw:
        raw.send(bytes([KEX_INIT]) + string(bytes(32)))
        ended(server, raw, 2)


def test_kexinit_flood_before_authentication(server):
    """Many exchanges before login are work for nothing: there is a limit."""
    with Raw(server.port) as raw:
        raw.handshake()
        with pytest.raises(Closed):
            for _ in range(200):
                raw.rekey(skip=(IGNORE, EXT_INFO))
        server.wait("lost")
    still_serves(server)


def test_rekey_by_server_counts_bytes(start_server):
    server = start_server("--rekey-bytes", 200_000)
    with Raw(server.port, login=USER) as raw:
        _, theirs = raw.run("sink")
        for _ in range(10):
            raw.data(theirs, bytes(25_000))
        raw.take_kexinit(raw.expect(KEXINIT))
        raw.send_kexinit()
        raw.finish_exchange()
        raw.send(b"\x60" + u32(theirs))
        raw.expect(94, skip=(93,))


# ---- resources ----------------------------------------------------------------------------------


def test_connection_limit(start_server):
    server = start_server("--max-connections", 3)
    held = [Raw(server.port) for _ in range(3)]
    for raw in held:
        raw.read_line()
    with Raw(server.port) as raw, pytest.raises(Closed):
        while True:
            raw._more()
    assert server.stats()["refused"] == 1
    for raw in held:
        raw.sock.close()
    server.wait("lost")
    end = time.monotonic() + PATIENCE
    while server.stats()["connections"] > 0 and time.monotonic() < end:
        pass
    with Raw(server.port, login=USER) as raw:
        raw.run("exit 0")


def test_unauthenticated_limit(start_server):
    server = start_server("--max-unauthenticated", 2)
    with Raw(server.port, login=USER) as first:  # logged in: does not count
        held = [Raw(server.port) for _ in range(2)]
        for raw in held:
            raw.read_line()
        with Raw(server.port) as raw, pytest.raises(Closed):
            while True:
                raw._more()
        first.run("exit 0")
        for raw in held:
            raw.sock.close()


def test_slow_loris(server):
    """A packet that comes byte by byte, beside a client that is served meanwhile."""
    with Raw(server.port) as slow:
        slow.exchange_versions()
        packet = slow.packet(slow.make_kexinit())
        for byte in packet[:200]:
            slow.send_bytes(bytes([byte]))
        still_serves(server)


def test_half_a_packet_then_gone(server):
    with Raw(server.port, login=USER) as raw:
        raw.send_bytes(b"\0" * 10)
        raw.sock.close()
        server.wait("lost")
    still_serves(server)


def test_exec_reply(server):
    with Raw(server.port, login=USER) as raw:
        _, theirs, _, _ = raw.open_session()
        raw.channel_request(theirs, "exec", string("hold"))
        raw.expect(CHANNEL_SUCCESS)
