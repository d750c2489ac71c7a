"""Host keys: certificates with each kind of key, keys whose private part is elsewhere (signers that
behave in every way, ssh-agent), key rotation with OpenSSH, private key files with a passphrase."""

import asyncio
import base64
import contextlib
import os
import socket
import subprocess
import time

import pytest

from keys import KINDS, run
from rawssh import (
    GLOBAL_REQUEST,
    REQUEST_FAILURE,
    REQUEST_SUCCESS,
    USERAUTH_SUCCESS,
    Raw,
    Reader,
    boolean,
    string,
    u32,
)
from servers import PATIENCE, Program, built, wait_until

CERT = {
    "ed25519": ["ssh-ed25519-cert-v01@openssh.com"],
    "ecdsa256": ["ecdsa-sha2-nistp256-cert-v01@openssh.com"],
    "ecdsa384": ["ecdsa-sha2-nistp384-cert-v01@openssh.com"],
    "ecdsa521": ["ecdsa-sha2-nistp521-cert-v01@openssh.com"],
    "rsa": ["rsa-sha2-512-cert-v01@openssh.com", "rsa-sha2-256-cert-v01@openssh.com"],
}
PLAIN = {
    kind: [name.replace("-cert-v01@openssh.com", "") for name in names]
    for kind, names in CERT.items()
}
CASES = [(kind, name) for kind in CERT for name in CERT[kind]]


class HostKeyServer(Program):
    """tests/tools/host_key_server"""

    def __init__(self, *arguments, env=None):
        super().__init__([built("tools", "host_key_server"), *map(str, arguments)], env=env)
        self.stopped = False
        line = self.out.wait(lambda text: text.startswith("listening on "))
        self.port = int(line.rsplit(":", 1)[1])

    def said(self, text, start=0):
        return self.out.wait(lambda line: line == text, start=start)

    def logged(self, text):
        return self.err.wait(lambda line: text in line)

    def close(self):
        if self.stopped:
            return
        self.stopped = True
        code = self.finish(self.process.stdin.close)
        assert code == 0, f"host_key_server ended with {code}"


@pytest.fixture
def start():
    running = []

    def begin(*arguments, **more):
        server = HostKeyServer(*arguments, **more)
        running.append(server)
        return server

    yield begin
    problems = []
    for server in running:
        try:
            server.close()
        except AssertionError as error:
            problems.append(str(error))
    assert not problems, "\n".join(problems)


class Ssh:
    """One run of ssh with files of its own."""

    def __init__(self, folder, port, *options, known=()):
        self.known_hosts = os.path.join(str(folder), f"known_hosts_{port}")
        if known is not None:
            with open(self.known_hosts, "w", encoding="utf-8") as file:
                file.writelines(line + "\n" for line in known)
        self.command = ["ssh", "-F", "none", "-p", str(port), "-o", "BatchMode=yes"]
        for option in (
            f"UserKnownHostsFile={self.known_hosts}",
            "GlobalKnownHostsFile=/dev/null",
            "StrictHostKeyChecking=yes",
            "IdentityFile=none",
            "IdentityAgent=none",
            *options,
        ):
            self.command += ["-o", option]
        self.command += ["someone@127.0.0.1", "hold"]

    def once(self):
        """Logs in and ends at once; its standard output and error."""
        done = subprocess.run(
            self.command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE
        )
        return done.returncode, done.stdout, done.stderr

    def until(self, condition):
        """Stays logged in until the condition holds."""
        process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        end = time.monotonic() + PATIENCE
        held = False
        while not held and time.monotonic() < end and process.poll() is None:
            held = condition(self.lines())
            time.sleep(0.02)
        _, errors = process.communicate()
        assert held, errors + "\n".join(self.lines())
        assert process.returncode == 0, errors

    def lines(self):
        with open(self.known_hosts, encoding="utf-8") as file:
            return [line.strip() for line in file]


def public(path):
    """ "type base64" """
    with open(path + ".pub", encoding="utf-8") as file:
        return " ".join(file.read().split()[:2])


def host_line(port, path, mark=""):
    return f"{mark}[127.0.0.1]:{port} {public(path)}"


# ---- certificates ----


@pytest.fixture(scope="session")
def authority(keys):
    return keys.make("host_ca", "ed25519")


def certify(keys, authority, kind, *more, principals="127.0.0.1", name="certified"):
    path = keys.make(f"{name}_{kind}", kind)
    options = ["-n", principals] if principals else []
    run("ssh-keygen", "-q", "-s", authority, "-h", "-I", "a host", *options, *more, path + ".pub")
    return path, path + "-cert.pub"


@pytest.mark.parametrize("kind,algorithm", CASES)
def test_certificate_with_openssh(keys, authority, start, tmp_path, kind, algorithm):
    path, certificate = certify(keys, authority, kind)
    server = start("--key", path, "--certificate", certificate)
    known = [host_line(server.port, authority, "@cert-authority ")]
    code, out, errors = Ssh(
        tmp_path, server.port, f"HostKeyAlgorithms={algorithm}", known=known
    ).once()
    assert code == 0, errors
    assert out == f"host key {algorithm}\n"
    # Without the CA the key behind it is unknown.
    code, _, errors = Ssh(tmp_path, server.port, f"HostKeyAlgorithms={algorithm}").once()
    assert code == 255 and "verification failed" in errors


def test_certificate_is_preferred_and_plain_still_works(keys, authority, start, tmp_path):
    path, certificate = certify(keys, authority, "ed25519")
    server = start("--key", path, "--certificate", certificate)
    known = [host_line(server.port, authority, "@cert-authority ")]
    code, out, errors = Ssh(tmp_path, server.port, known=known).once()
    assert code == 0, errors
    assert out == "host key ssh-ed25519-cert-v01@openssh.com\n"
    known = [host_line(server.port, path)]
    code, out, errors = Ssh(
        tmp_path, server.port, "HostKeyAlgorithms=ssh-ed25519", known=known
    ).once()
    assert code == 0, errors
    assert out == "host key ssh-ed25519\n"


def test_certificate_for_another_host(keys, authority, start, tmp_path):
    path, certificate = certify(keys, authority, "ecdsa256", principals="elsewhere.test")
    server = start("--key", path, "--certificate", certificate)
    known = [host_line(server.port, authority, "@cert-authority ")]
    code, _, errors = Ssh(
        tmp_path, server.port, f"HostKeyAlgorithms={CERT['ecdsa256'][0]}", known=known
    ).once()
    assert code == 255 and "verification failed" in errors


def test_expired_certificate_warns_and_serves(keys, authority, start, tmp_path):
    path, certificate = certify(
        keys, authority, "ed25519", "-V", "20200101:20200201", name="expired"
    )
    server = start("--key", path, "--certificate", certificate)
    server.logged("certificate has expired")
    known = [host_line(server.port, authority, "@cert-authority ")]
    code, _, errors = Ssh(
        tmp_path, server.port, f"HostKeyAlgorithms={CERT['ed25519'][0]}", known=known
    ).once()
    assert code == 255 and "xpired" in errors


@pytest.mark.parametrize("kind,algorithm", CASES)
def test_certificate_with_asyncssh(keys, authority, start, kind, algorithm):
    import asyncssh

    path, certificate = certify(keys, authority, kind)
    server = start("--key", path, "--certificate", certificate)

    async def login():
        known = f"@cert-authority [127.0.0.1]:{server.port} {public(authority)}\n"
        async with asyncssh.connect(
            "127.0.0.1",
            server.port,
            username="someone",
            client_keys=None,
            known_hosts=asyncssh.import_known_hosts(known),
            server_host_key_algs=[algorithm],
            config=None,
        ) as connection:
            return (await connection.run("x", stdin=asyncssh.DEVNULL)).stdout

    assert asyncio.run(asyncio.wait_for(login(), PATIENCE)) == f"host key {algorithm}\n"


def refused(*arguments, env=None):
    done = subprocess.run(
        [built("tools", "host_key_server"), *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env=dict(os.environ, **(env or {})),
    )
    assert done.returncode == 1
    return done.stderr


def test_bad_certificates(keys, authority):
    path, certificate = certify(keys, authority, "ed25519")
    other = keys.make("other_host", "ecdsa256")
    assert "for none of the host keys" in refused("--key", other, "--certificate", certificate)
    assert "two host certificates" in refused(
        "--key", path, "--certificate", certificate, "--certificate", certificate
    )
    user = keys.make("certified_user", "ed25519")
    run("ssh-keygen", "-q", "-s", authority, "-I", "a user", "-n", "u", user + ".pub")
    assert "not a host certificate" in refused("--key", user, "--certificate", user + "-cert.pub")


# ---- keys that are elsewhere ----


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", ["now", "work", "twice"])
def test_external_key(keys, start, tmp_path, kind, how):
    path = keys.host(kind)
    server = start("--external", path, "--signer", how)
    code, out, errors = Ssh(tmp_path, server.port, known=[host_line(server.port, path)]).once()
    assert code == 0, errors
    assert out == f"host key {PLAIN[kind][0]}\n"
    server.said(f"sign {PLAIN[kind][0]}")
    if how == "twice":
        server.said("second -4")


def test_external_key_with_certificate(keys, authority, start, tmp_path):
    path, certificate = certify(keys, authority, "rsa")
    server = start("--external", path, "--certificate", certificate, "--signer", "work")
    known = [host_line(server.port, authority, "@cert-authority ")]
    code, out, errors = Ssh(tmp_path, server.port, known=known).once()
    assert code == 0, errors
    assert out == "host key rsa-sha2-512-cert-v01@openssh.com\n"
    server.said("sign rsa-sha2-512")


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_answered_later_from_another_thread(keys, start, tmp_path, kind):
    path = keys.host(kind)
    server = start("--external", path, "--signer", "held")
    ssh = Ssh(tmp_path, server.port, known=[host_line(server.port, path)])
    process = subprocess.Popen(
        ssh.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    )
    server.said(f"sign {PLAIN[kind][0]}")
    # Others are served meanwhile as far as they get.
    with Raw(server.port):
        pass
    server.tell("go")
    server.said("answered 0")
    out, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert out == f"host key {PLAIN[kind][0]}\n"


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
@pytest.mark.parametrize(
    "how,reason,logged",
    [
        ("refuse", "can't be signed", "nobody signs for host key SHA256:"),
        ("accept", "can't be signed", "nobody signs for host key SHA256:"),
        ("wrong", "signed wrongly", "is wrong"),
        ("garbage", "signed wrongly", "is wrong"),
    ],
)
def test_no_good_signature(keys, start, tmp_path, kind, how, reason, logged):
    path = keys.host(kind)
    server = start("--external", path, "--signer", how)
    code, _, errors = Ssh(tmp_path, server.port, known=[host_line(server.port, path)]).once()
    assert code == 255
    assert reason in errors  # the DISCONNECT's text
    server.logged(logged)
    server.out.wait(lambda line: line.startswith("lost the exchange hash") and reason in line)
    if how == "garbage":
        server.said("too long -2")
        server.said("empty -2")


def test_signature_of_another_algorithm(keys, start, tmp_path):
    path = keys.host("rsa")
    server = start("--external", path, "--signer", "other")
    code, _, _ = Ssh(tmp_path, server.port, known=[host_line(server.port, path)]).once()
    assert code == 255
    server.logged("is wrong")


def test_signer_that_never_answers(keys, start, tmp_path):
    path = keys.host()
    server = start("--external", path, "--signer", "never", "--login-timeout", 300)
    code, _, _ = Ssh(tmp_path, server.port, known=[host_line(server.port, path)]).once()
    assert code == 255
    server.said("lost no login within the time allowed")
    server.tell("go")
    server.said("answered -5")


def test_client_leaves_while_a_signature_is_made(keys, start):
    """Nothing is read then, so it is noticed when the login's time is up."""
    path = keys.host()
    server = start("--external", path, "--signer", "held", "--login-timeout", 500)
    for _ in range(3):
        with Raw(server.port) as raw:
            raw.exchange_versions()
            raw.send_kexinit()
            raw.take_kexinit()
            raw.send_kex_init()
            server.said("sign ssh-ed25519")
    server.said("lost no login within the time allowed")
    server.tell("go")
    server.said("answered -5")


def test_server_ends_while_a_signature_is_made(keys, start, tmp_path):
    path = keys.host()
    server = start("--external", path, "--signer", "never")
    ssh = Ssh(tmp_path, server.port, known=[host_line(server.port, path)])
    process = subprocess.Popen(
        ssh.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    server.said("sign ssh-ed25519")
    server.close()
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 255


def test_new_keys_with_an_external_key(keys, start, tmp_path):
    path = keys.host()
    server = start("--external", path, "--signer", "work", "--no-rotation")
    ssh = Ssh(tmp_path, server.port, known=[host_line(server.port, path)])
    process = subprocess.Popen(
        ssh.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "host key ssh-ed25519\n"
    process.stdin.write("rekey\n")
    process.stdin.flush()
    start_at = server.out.items.index("sign ssh-ed25519") + 1
    server.said("sign ssh-ed25519", start=start_at)
    process.stdin.write("after\n")
    process.stdin.flush()
    assert process.stdout.readline() == "after\n"
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 0


# ---- ssh-agent ----


@pytest.fixture
def agent(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("a") / "agent")
    process = subprocess.Popen(
        ["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    wait_until(lambda: os.path.exists(path))
    yield path
    process.terminate()
    process.wait()


def add_to_agent(agent, *arguments):
    subprocess.run(
        ["ssh-add", "-q", *arguments],
        check=True,
        capture_output=True,
        env=dict(os.environ, SSH_AUTH_SOCK=agent),
    )


@pytest.mark.parametrize("kind", KINDS)
def test_agent_signs(keys, start, agent, tmp_path, kind):
    path = keys.host(kind)
    add_to_agent(agent, path)
    server = start("--agent", path + ".pub", env={"SSH_AUTH_SOCK": agent})
    for algorithm in PLAIN[kind]:
        code, out, errors = Ssh(
            tmp_path,
            server.port,
            f"HostKeyAlgorithms={algorithm}",
            known=[host_line(server.port, path)],
        ).once()
        assert code == 0, errors
        assert out == f"host key {algorithm}\n"


def test_keys_of_the_agent(keys, start, agent, tmp_path):
    paths = keys.all_hosts()
    add_to_agent(agent, *paths)
    server = start("--agent-keys", env={"SSH_AUTH_SOCK": agent})
    server.said(f"agent keys {len(paths)}")
    code, _, errors = Ssh(
        tmp_path,
        server.port,
        "HostKeyAlgorithms=ecdsa-sha2-nistp384",
        known=[host_line(server.port, keys.host("ecdsa384"))],
    ).once()
    assert code == 0, errors


def test_agent_without_the_key(keys, start, agent, tmp_path):
    path = keys.host()
    server = start("--agent", path + ".pub", env={"SSH_AUTH_SOCK": agent})
    code, _, _ = Ssh(tmp_path, server.port, known=[host_line(server.port, path)]).once()
    assert code == 255
    server.logged("the agent does not sign: it refuses")


def test_no_agent(keys, start, tmp_path):
    path = keys.host()
    nowhere = {"SSH_AUTH_SOCK": str(tmp_path / "nothing")}
    server = start("--agent", path + ".pub", env=nowhere)
    code, _, _ = Ssh(tmp_path, server.port, known=[host_line(server.port, path)]).once()
    assert code == 255
    server.logged("the agent does not sign: no such file or directory")
    assert "no such file" in refused("--agent-keys", env=nowhere)


class FalseAgent:
    """Listens where an agent would and does as it is told with each connection."""

    def __init__(self, path, act):
        self.path = path
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()
        import threading

        self.held = []
        self.act = act
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.held.append(connection)
            with contextlib.suppress(OSError):
                self.act(connection)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join(PATIENCE)
        self.listener.close()
        for connection in self.held:
            connection.close()


@contextlib.contextmanager
def false_agent(folder, act):
    agent = FalseAgent(str(folder / "false_agent"), act)
    try:
        yield agent.path
    finally:
        agent.close()


@pytest.mark.parametrize(
    "reply,reason",
    [
        (b"", "it went away"),
        (b"\0\0\0\5\x0e", "it went away"),
        (b"\0\0\0\0", "its reply makes no sense"),
        (b"\xff\xff\xff\xff", "its reply makes no sense"),
        (b"\0\0\0\1\5", "it refuses"),
        (b"\0\0\0\1\x0e", "it refuses"),
        (b"\0\0\0\5\x0e\0\0\0\x09", "it refuses"),
    ],
)
def test_bad_agents(keys, start, tmp_path, reply, reason):
    path = keys.host()

    def act(connection):
        connection.recv(4096)
        connection.sendall(reply)
        connection.shutdown(socket.SHUT_RDWR)

    with false_agent(tmp_path, act) as where:
        server = start("--agent", path + ".pub", env={"SSH_AUTH_SOCK": where})
        code, _, _ = Ssh(tmp_path, server.port, known=[host_line(server.port, path)]).once()
        assert code == 255
        server.logged("the agent does not sign: " + reason)


def test_silent_agent(keys, start, tmp_path):
    """The login's time runs; the request to the agent ends with the connection."""
    path = keys.host()
    ended = []

    def act(connection):
        while connection.recv(4096):
            pass
        ended.append(True)

    with false_agent(tmp_path, act) as where:
        server = start(
            "--agent", path + ".pub", "--login-timeout", 300, env={"SSH_AUTH_SOCK": where}
        )
        code, _, _ = Ssh(tmp_path, server.port, known=[host_line(server.port, path)]).once()
        assert code == 255
        server.said("lost no login within the time allowed")
        wait_until(lambda: ended)


# ---- rotation ----


def keys_in(lines):
    return sorted(" ".join(line.split()[1:3]) for line in lines if line)


@pytest.mark.parametrize("external", [False, True])
def test_rotation(keys, start, tmp_path, external):
    old, new = keys.make("old", "ed25519"), keys.make("new", "ed25519")
    rsa = keys.host("rsa")
    flag = "--external" if external else "--key"
    server = start(flag, old, flag, rsa, "--further", new, "--signer", "work")
    ssh = Ssh(
        tmp_path,
        server.port,
        "UpdateHostKeys=yes",
        "HostKeyAlgorithms=ssh-ed25519,rsa-sha2-512",
        known=[host_line(server.port, old)],
    )
    everything = sorted(map(public, (old, new, rsa)))
    ssh.until(lambda lines: keys_in(lines) == everything)
    # The old one is withdrawn: a server with the new one alone has clients forget it.
    port, lines = server.port, ssh.lines()
    server.close()
    server = start(flag, new, "--signer", "work")
    moved = [line.replace(f":{port}", f":{server.port}") for line in lines]
    ssh = Ssh(tmp_path, server.port, "UpdateHostKeys=yes", known=moved)
    ssh.until(lambda lines: keys_in(lines) == [public(new)])
    code, _, errors = Ssh(tmp_path, server.port, known=None).once()
    assert code == 0, errors


@pytest.mark.parametrize("algorithm", ["rsa-sha2-256", "rsa-sha2-512"])
def test_rsa_proof_as_negotiated(keys, start, tmp_path, algorithm):
    rsa, other = keys.host("rsa"), keys.make("other_rsa", "rsa")
    server = start("--key", rsa, "--further", other)
    ssh = Ssh(
        tmp_path,
        server.port,
        "UpdateHostKeys=yes",
        f"HostKeyAlgorithms={algorithm}",
        known=[host_line(server.port, rsa)],
    )
    ssh.until(lambda lines: keys_in(lines) == sorted(map(public, (rsa, other))))


def test_no_rotation(keys, start, tmp_path):
    server = start("--key", keys.host(), "--further", keys.host("rsa"), "--no-rotation")
    ssh = Ssh(
        tmp_path,
        server.port,
        "UpdateHostKeys=yes",
        "LogLevel=DEBUG3",
        known=[host_line(server.port, keys.host())],
    )
    code, _, errors = ssh.once()
    assert code == 0, errors
    assert "hostkeys-00@openssh.com" not in errors
    assert len(ssh.lines()) == 1


def test_wrong_proof_teaches_nothing(keys, start, tmp_path):
    """The client gets a failure, and the connection goes on."""
    first, second = keys.host(), keys.host("ecdsa256")
    server = start("--key", first, "--external", second, "--signer", "wrong")
    ssh = Ssh(
        tmp_path,
        server.port,
        "UpdateHostKeys=yes",
        "HostKeyAlgorithms=ssh-ed25519,ecdsa-sha2-nistp256",
        known=[host_line(server.port, first)],
    )
    process = subprocess.Popen(
        ssh.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    server.logged("is wrong")
    process.stdin.write("still here\n")
    process.stdin.flush()
    assert process.stdout.readline() == "host key ssh-ed25519\n"
    assert process.stdout.readline() == "still here\n"
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert keys_in(ssh.lines()) == [public(first)]


def test_client_leaves_during_a_proof(keys, start, tmp_path):
    first, second = keys.host(), keys.host("ecdsa256")
    server = start("--key", first, "--external", second, "--signer", "held")
    ssh = Ssh(
        tmp_path,
        server.port,
        "UpdateHostKeys=yes",
        "HostKeyAlgorithms=ssh-ed25519,ecdsa-sha2-nistp256",
        known=[host_line(server.port, first)],
    )
    process = subprocess.Popen(ssh.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    server.said("sign ecdsa-sha2-nistp256")
    process.kill()
    process.communicate()
    server.out.wait(lambda line: line.startswith("lost"))
    server.tell("go")
    server.said("answered -5")


def test_announcement_is_well_formed(keys, start):
    first, second = keys.host(), keys.host("rsa")
    server = start("--key", first, "--key", second)
    with Raw(server.port) as raw:
        raw.handshake()
        raw.service()
        assert raw.none("someone")[0] == USERAUTH_SUCCESS
        raw.open_session()
        reader = Reader(raw.announced[1:])
        assert reader.string() == b"hostkeys-00@openssh.com"
        assert reader.boolean() is False
        for path in (first, second):
            assert base64.b64encode(reader.string()).decode() == public(path).split()[1]


def test_proofs_that_are_refused(keys, start):
    server = start("--key", keys.host(), "--external", keys.host("rsa"), "--signer", "refuse")
    blobs = [base64.b64decode(public(keys.host(kind)).split()[1]) for kind in ("ed25519", "rsa")]
    unknown = base64.b64decode(public(keys.host("ecdsa256")).split()[1])
    prove = bytes([GLOBAL_REQUEST]) + string("hostkeys-prove-00@openssh.com") + boolean(True)
    with Raw(server.port) as raw:
        raw.handshake()
        raw.service()
        assert raw.none("someone")[0] == USERAUTH_SUCCESS
        for wanted in ([unknown], [blobs[0], unknown], [blobs[0]] * 3, blobs):
            raw.send(prove + b"".join(map(string, wanted)))
            raw.expect(REQUEST_FAILURE)
        raw.send(prove + string(blobs[0]))
        signature = Reader(raw.expect(REQUEST_SUCCESS)[1:]).string()
        assert Reader(signature).text() == "ssh-ed25519"
        raw.send(prove + u32(100) + b"x")
        assert raw.expect_closed().code == 2


# ---- private key files ----


@pytest.mark.parametrize("form", ["openssh", "PEM", "PKCS8"])
def test_host_key_with_a_passphrase(keys, start, tmp_path, form):
    path = str(tmp_path / "key")
    run("ssh-keygen", "-q", "-t", "ecdsa", "-N", "open sesame", "-a", "2", "-f", path,
        *(["-m", form] if form != "openssh" else []))
    server = start("--key", path, env={"PASSPHRASE": "open sesame"})
    code, _, errors = Ssh(tmp_path, server.port, known=[host_line(server.port, path)]).once()
    assert code == 0, errors
    assert "passphrase" in refused("--key", path, env={"PASSPHRASE": "wrong"})
    assert "passphrase" in refused("--key", path)
