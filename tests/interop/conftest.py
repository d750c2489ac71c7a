"""Fixtures: keys, servers and clients. README.md says how to run the tests."""

import hashlib
import os
import shutil
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import clients  # noqa: E402
import keys as key_files  # noqa: E402
import servers  # noqa: E402

# How much the transfer tests carry each way.
MEBIBYTES = int(os.environ.get("SALLYPORT_MEBIBYTES", "64"))


def chosen(client, value, values):
    """Is this cell of a matrix, of a client and one of some values, in the thin one? Each value has
    OpenSSH's client and one more, and each client has a value."""
    names = [kind.name for kind in clients.ALL]
    turn = min(len(names), values)
    return client == "openssh" or names.index(client) % turn == value % turn


def pytest_collection_modifyitems(config, items):
    """With SALLYPORT_MATRIX=thin, of tests that have a client and other parameters some are left."""
    if os.environ.get("SALLYPORT_MATRIX") != "thin":
        return
    others = {}  # of each test function: its values of all parameters but the client, in their order
    kept, left_out = [], []
    for item in items:
        parameters = dict(item.callspec.params) if hasattr(item, "callspec") else {}
        client = parameters.pop("client", None)
        if client is not None:
            item.cell = (client, repr(sorted(parameters.items())))
            others.setdefault(item.function, {}).setdefault(item.cell[1], len(others[item.function]))
    for item in items:
        values = others.get(getattr(item, "function", None), {})
        whole = len(values) < 2 or chosen(item.cell[0], values[item.cell[1]], len(values))
        (kept if whole else left_out).append(item)
    config.hook.pytest_deselected(items=left_out)
    items[:] = kept


def pytest_configure(config):
    if not os.path.exists(servers.built("tools", "contract_server")):
        pytest.exit(f"set SALLYPORT_BUILD to a build folder; {servers.BUILD} has no tools", 2)


@pytest.fixture(scope="session")
def keys(tmp_path_factory):
    return key_files.Keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def start_server(keys):
    """Starts contract servers with options; they stop with the test."""
    running = []

    def start(*options, host_keys=None, **more):
        paths = keys.all_hosts() if host_keys is None else host_keys
        server = servers.ContractServer(
            *options, host_keys=paths, authorized=keys.authorized(), **more
        )
        server.host_key_paths = paths
        running.append(server)
        return server

    yield start
    problems = []
    for server in running:
        try:
            server.close()
        except AssertionError as error:
            problems.append(str(error))
    assert not problems, "\n".join(problems)


@pytest.fixture
def server(start_server):
    return start_server()


@pytest.fixture(scope="session")
def all_clients(tmp_path_factory, keys):
    found = {}
    for kind in clients.ALL:
        home = tmp_path_factory.mktemp("home_" + kind.name)
        found[kind.name] = kind(home, keys)
    return found


@pytest.fixture(params=[kind.name for kind in clients.ALL])
def client(request, all_clients):
    found = all_clients[request.param]
    if not found.available():
        pytest.skip(f"{found.name} was not built")
    return found


@pytest.fixture(scope="session")
def random_file(tmp_path_factory):
    """A file of random bytes, and its SHA-256."""
    path = tmp_path_factory.mktemp("random") / "bytes"
    digest = hashlib.sha256()
    with open(path, "wb") as file:
        for _ in range(MEBIBYTES):
            piece = os.urandom(1 << 20)
            digest.update(piece)
            file.write(piece)
    return str(path), digest.hexdigest(), MEBIBYTES << 20


@pytest.fixture
def home(tmp_path):
    """A home directory for sallyportd."""
    path = tmp_path / "home"
    path.mkdir(mode=0o700)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def sallyportd(home, keys):
    """Starts sallyportd with the user's keys authorized; it stops with the test."""
    running = []

    def start(*options, **more):
        server = servers.Sallyportd(
            home,
            "-h", keys.host("ed25519"),
            "-o", f"AuthorizedKeysFile={keys.authorized()}",
            "-o", "StrictModes=no",
            *options,
            **more,
        )
        server.host_key_paths = [keys.host("ed25519")]
        running.append(server)
        return server

    yield start
    for server in running:
        server.close()
