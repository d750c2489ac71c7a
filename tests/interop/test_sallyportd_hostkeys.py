"""sallyportd's host certificates, host keys in an agent, and further host keys that clients learn."""

import os
import shlex
import subprocess
import time

import pytest

from sallyportd_tools import *  # fixtures come by their names, too

pytestmark = [needs_ssh, needs_client_key]


def keygen(*words):
    subprocess.run(["ssh-keygen", "-q", *map(str, words)], check=True, stdin=subprocess.DEVNULL,
                   capture_output=True)


@pytest.fixture
def made(tmp_path):
    """Makes keys: made("name", type)."""
    def make(name, kind="ed25519"):
        path = tmp_path / name
        keygen("-t", kind, "-N", "", "-f", path)
        return path
    return make


def certify(ca, key, *words, principals="127.0.0.1"):
    keygen("-s", ca, "-I", "host", *words, "-n", principals, f"{key}.pub")
    return f"{key}-cert.pub"


def with_known_hosts(server, file, *more):
    """ssh that knows the hosts of this file only."""
    words = shlex.split(server.command)
    at = next(i for i, word in enumerate(words) if word.startswith("UserKnownHostsFile="))
    words[at] = f"UserKnownHostsFile={file}"
    target = words.pop()
    return subprocess.run([*words, "-F", "none", "-o", "BatchMode=yes", "-o",
                           "StrictHostKeyChecking=yes", *more, target, "echo in"], text=True,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=60)


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
@pytest.mark.parametrize("flag", [True, False])
def test_host_certificate(serve, made, tmp_path, kind, flag):
    key, ca = made("host", kind), made("ca")
    certificate = certify(ca, key, "-h")
    arguments = ["-c", certificate] if flag else ["-o", f"HostCertificate={certificate}"]
    server = serve("AlgorithmPreset compatible", arguments=["-h", key, *arguments],
                   own_host_keys=True)
    known = tmp_path / "known"
    known.write_text(f"@cert-authority * {(tmp_path / 'ca.pub').read_text()}")
    algorithms = "HostKeyAlgorithms=" + {
        "ed25519": "ssh-ed25519-cert-v01@openssh.com", "rsa": "rsa-sha2-512-cert-v01@openssh.com",
        "ecdsa": "ecdsa-sha2-nistp256-cert-v01@openssh.com"}[kind]
    assert with_known_hosts(server, known, "-o", algorithms).stdout == "in\n"


@pytest.mark.parametrize("words, principals, said", [
    (["-h"], "127.0.0.1", "No matching private key for certificate: "),
    ([], USER, "Not a certificate for hosts: "),
])
def test_certificates_that_are_left_out(call, made, host_key, words, principals, said):
    key, ca = made("other"), made("ca")
    certificate = certify(ca, key, *words, principals=principals)
    run = call("-t", "-h", host_key, "-c", certificate)
    assert run.returncode == 0
    assert said + certificate in run.stderr


def test_certificate_that_is_not_there(call, host_key):
    run = call("-t", "-h", host_key, "-c", "/nonexistent")
    assert run.returncode == 0
    assert 'Could not load host certificate "/nonexistent": No such file' in run.stderr


@pytest.fixture
def agent(tmp_path):
    """An agent: adds keys and takes their files away."""
    path = tmp_path / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.DEVNULL)
    environment = dict(os.environ, SSH_AUTH_SOCK=str(path))

    def add(key):
        end = time.monotonic() + 30
        while subprocess.run(["ssh-add", "-q", str(key)], env=environment,
                             capture_output=True).returncode != 0:
            assert time.monotonic() < end
            time.sleep(0.05)
        key.unlink()
        return path
    yield add
    process.terminate()
    process.wait()


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
@pytest.mark.parametrize("named", ["private", "public"])
def test_host_key_in_an_agent(serve, made, agent, kind, named):
    key = made("host", kind)
    path = agent(key)
    server = serve(f"HostKeyAgent={path}", "AlgorithmPreset compatible",
                   arguments=["-h", key if named == "private" else f"{key}.pub"],
                   own_host_keys=True)
    for _ in range(2):
        assert server.ssh("echo in").stdout == "in\n"


def test_agent_of_the_environment(environment, made, agent, tmp_path):
    key = made("host")
    environment["SSH_AUTH_SOCK"] = str(agent(key))
    server = Server(environment, tmp_path, ["-p", 0, "-h", key, "-o", "HostKeyAgent=SSH_AUTH_SOCK"])
    assert server.ssh("echo in").stdout == "in\n"
    assert server.stop() == 0


def test_agent_that_is_not_there(call, made):
    key = made("host")
    key.unlink()
    run = call("-t", "-h", key, "-o", "HostKeyAgent=/nonexistent")
    assert run.returncode == 1
    assert 'Could not connect to agent "/nonexistent"' in run.stderr


def test_clients_learn_of_further_keys(serve, made, tmp_path):
    second, third = made("second"), made("third", "rsa")
    server = serve(arguments=["-h", second, "-h", third])
    known = tmp_path / "known"
    first_key = shlex.split(server.command)
    file = next(w for w in first_key if w.startswith("UserKnownHostsFile=")).partition("=")[2]
    with open(file) as lines:
        ours = [line for line in lines if line.startswith(f"[127.0.0.1]:{server.port} ")]
    known.write_text(ours[0])
    run = with_known_hosts(server, known, "-o", "UpdateHostKeys=yes")
    assert run.stdout == "in\n"
    end = time.monotonic() + 30
    while time.monotonic() < end and len(known.read_text().splitlines()) < 3:
        with_known_hosts(server, known, "-o", "UpdateHostKeys=yes")
    learned = {line.split()[2] for line in known.read_text().splitlines()}
    for path in (second, third):
        assert path.with_name(path.name + ".pub").read_text().split()[1] in learned
