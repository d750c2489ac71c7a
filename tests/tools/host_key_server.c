/* host_key_server: host keys of every kind, and signers that behave in every way. Everyone may log
 * in; a session lasts until the client's end of file.
 *
 *     host_key_server OPTION...
 *       --key FILE            a host key; PASSPHRASE in the environment opens it
 *       --external FILE       a host key that the handler signs with, as --signer says
 *       --signer HOW          now, work, held (until "go" on standard input), refuse, accept,
 * wrong, other (another algorithm), garbage, twice, never
 *       --agent FILE          a public key, which the agent at SSH_AUTH_SOCK signs with
 *       --agent-keys          all keys that the agent has
 *       --certificate FILE    for one of the host keys
 *       --further FILE        a key that clients are only told of
 *       --no-rotation
 *       --login-timeout MS */
#include <pthread.h>
#include <sallyport.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS_MAX 64
#define HELD_MAX 256

static sp_key *host_keys[KEYS_MAX], *further[KEYS_MAX], *private_keys[KEYS_MAX];
static const sp_cert *certificates[KEYS_MAX];
static size_t host_count, further_count, private_count, certificate_count;
static const char *signer = "now", *agent_path;
static sp_server *running;

static pthread_mutex_t held_lock = PTHREAD_MUTEX_INITIALIZER;
static sp_sign *held[HELD_MAX]; /* questions for the other thread */
static size_t held_count;

static void say(const char *what, int result)
{
    (void)printf("%s %d\n", what, result);
    (void)fflush(stdout);
}

static void must(int result, const char *what)
{
    if (result == 0)
        return;
    (void)fprintf(stderr, "%s: %s\n", what, sp_strerror(result));
    exit(1);
}

/* ---- signing ---- */

static int answer_with(sp_sign *sign, const char *algorithm, const void *data, size_t length)
{
    uint8_t signature[SP_SIGNATURE_MAX];
    size_t size = sizeof signature;
    int result = SP_ENOENT;
    for (size_t i = 0; i < private_count && result != 0; i++)
        if (sp_key_equal(private_keys[i], sp_sign_key(sign)))
            result = sp_key_sign(private_keys[i], algorithm, data, length, signature, &size);
    return result != 0 ? result : sp_sign_answer(sign, signature, size);
}

static int answer(sp_sign *sign)
{
    size_t length;
    const uint8_t *data = sp_sign_data(sign, &length);
    return answer_with(sign, sp_sign_algorithm(sign), data, length);
}

static sp_answer work(sp_sign *sign, void *data)
{
    (void)data;
    return sp_answered(answer(sign));
}

static void hold(sp_sign *sign)
{
    (void)pthread_mutex_lock(&held_lock);
    if (held_count == HELD_MAX)
        exit(1);
    held[held_count++] = sign;
    (void)pthread_mutex_unlock(&held_lock);
}

/* On the thread that reads standard input. */
static void answer_held(bool answers)
{
    (void)pthread_mutex_lock(&held_lock);
    while (held_count > 0) {
        sp_sign *sign = held[--held_count];
        if (answers)
            say("answered", answer(sign));
        sp_sign_release(sign);
    }
    (void)pthread_mutex_unlock(&held_lock);
}

static sp_answer sign(sp_conn *conn, sp_sign *question, const sp_key *key, const char *algorithm,
                      const void *data, size_t length)
{
    (void)conn;
    (void)key;
    bool holds = strcmp(signer, "held") == 0 || strcmp(signer, "never") == 0;
    if (holds)
        hold(question); /* before anybody is told that it is */
    (void)printf("sign %s\n", algorithm);
    (void)fflush(stdout);
    if (holds)
        return SP_LATER;
    if (agent_path != NULL)
        return sp_agent_sign(question, agent_path);
    if (strcmp(signer, "now") == 0)
        return sp_answered(answer_with(question, algorithm, data, length));
    if (strcmp(signer, "work") == 0)
        return sp_work(question, work, NULL);
    if (strcmp(signer, "accept") == 0)
        return SP_ACCEPT;
    if (strcmp(signer, "wrong") == 0)
        return sp_answered(answer_with(question, algorithm, "something else", 14));
    if (strcmp(signer, "other") == 0)
        return sp_answered(answer_with(
            question, strcmp(algorithm, "rsa-sha2-512") == 0 ? "rsa-sha2-256" : "rsa-sha2-512",
            data, length));
    if (strcmp(signer, "garbage") == 0) {
        static const uint8_t bytes[SP_SIGNATURE_MAX + 1] = {0, 0, 0, 200};
        say("too long", sp_sign_answer(question, bytes, sizeof bytes));
        say("empty", sp_sign_answer(question, bytes, 0));
        return sp_answered(sp_sign_answer(question, bytes, 20));
    }
    if (strcmp(signer, "twice") == 0) {
        int first = answer_with(question, algorithm, data, length);
        say("second", answer_with(question, algorithm, "something else", 14));
        return sp_answered(first);
    }
    return SP_REJECT;
}

/* ---- the rest of a server ---- */

static sp_answer welcome(sp_conn *conn, sp_auth *auth, const char *username)
{
    (void)conn;
    (void)auth;
    (void)username;
    return SP_ACCEPT;
}

static sp_answer exec(sp_channel *channel, sp_request *request, const char *command)
{
    (void)channel;
    (void)request;
    (void)command;
    return SP_ACCEPT;
}

static void started(sp_channel *channel)
{
    sp_algorithms used;
    sp_conn *conn = sp_channel_conn(channel);
    if (conn != NULL && sp_conn_algorithms(conn, &used) == 0)
        (void)sp_channel_printf(channel, "host key %s\n", used.host_key);
}

static bool eof(sp_channel *channel)
{
    (void)sp_channel_exit(channel, 0);
    return true;
}

/* "rekey" begins a new exchange. */
static void data(sp_channel *channel, const void *bytes, size_t length, uint32_t type)
{
    (void)type;
    if (length >= 5 && memcmp(bytes, "rekey", 5) == 0)
        (void)sp_conn_rekey(sp_channel_conn(channel));
    else
        (void)sp_channel_write(channel, bytes, length);
}

static sp_answer session(sp_conn *conn, sp_open *open)
{
    static const sp_session_handlers handlers = {
        SP_SESSION_HANDLERS_INIT, .exec_requested = exec, .session_started = started,
        .data_received = data,    .eof_received = eof,
    };
    (void)conn;
    return sp_answered(sp_open_session(open, &handlers, NULL, NULL));
}

static void lost(sp_conn *conn, const sp_conn_error *error)
{
    (void)conn;
    (void)printf("lost %s\n", error == NULL ? "-" : error->message);
    (void)fflush(stdout);
}

static void log_line(void *ctx, sp_log_level level, const char *line)
{
    (void)ctx;
    (void)fprintf(stderr, "%d %s\n", (int)level, line);
}

static void *read_orders(void *unused)
{
    char line[64];
    (void)unused;
    while (fgets(line, sizeof line, stdin) != NULL)
        if (strcmp(line, "go\n") == 0)
            answer_held(true);
    sp_server_stop(running);
    return NULL;
}

/* ---- options ---- */

static sp_key *load_private(const char *path)
{
    sp_key *key;
    must(sp_key_load_private(&key, path, getenv("PASSPHRASE")), path);
    return key;
}

static void take_external(const char *path)
{
    sp_key *key = load_private(path);
    private_keys[private_count++] = key;
    must(sp_key_new_external(&host_keys[host_count++], key), path);
}

static void take_public(const char *path)
{
    char line[16384];
    sp_key *key;
    FILE *file = fopen(path, "r");
    must(file == NULL || fgets(line, sizeof line, file) == NULL ? SP_EIO : 0, path);
    (void)fclose(file);
    must(sp_key_parse_public(&key, line), path);
    must(sp_key_new_external(&host_keys[host_count++], key), path);
    sp_key_unref(key);
}

static void take_agent_keys(void)
{
    sp_key **keys;
    size_t count;
    must(sp_agent_keys(agent_path, &keys, &count), "agent");
    say("agent keys", (int)count);
    for (size_t i = 0; i < count && i < KEYS_MAX; i++)
        must(sp_key_new_external(&host_keys[host_count++], keys[i]), "agent key");
    sp_agent_keys_free(keys, count);
}

static void take_certificate(const char *path)
{
    sp_cert *cert;
    must(sp_cert_load(&cert, path), path);
    certificates[certificate_count++] = cert;
}

static void take_options(int argc, char **argv, sp_protocol_options *o)
{
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        if (strcmp(word, "--no-rotation") == 0) {
            o->no_host_key_rotation = true;
            continue;
        }
        if (strcmp(word, "--agent-keys") == 0) {
            agent_path = getenv("SSH_AUTH_SOCK");
            take_agent_keys();
            continue;
        }
        const char *value = i + 1 < argc ? argv[++i] : "";
        if (strcmp(word, "--key") == 0)
            host_keys[host_count++] = load_private(value);
        else if (strcmp(word, "--external") == 0)
            take_external(value);
        else if (strcmp(word, "--signer") == 0)
            signer = value;
        else if (strcmp(word, "--agent") == 0) {
            agent_path = getenv("SSH_AUTH_SOCK");
            take_public(value);
        } else if (strcmp(word, "--certificate") == 0)
            take_certificate(value);
        else if (strcmp(word, "--further") == 0)
            further[further_count++] = load_private(value);
        else if (strcmp(word, "--login-timeout") == 0)
            o->login_timeout_ms = (uint32_t)strtoul(value, NULL, 10);
        else
            must(SP_EINVAL, word);
    }
}

static void let_go(sp_key **keys, size_t count)
{
    for (size_t i = 0; i < count; i++)
        sp_key_unref(keys[i]);
}

int main(int argc, char **argv)
{
    sp_server_options options = {SP_SERVER_OPTIONS_INIT};
    const sp_server_handlers handlers = {
        SP_SERVER_HANDLERS_INIT, .begin_auth = welcome, .session_requested = session,
        .connection_lost = lost, .sign = sign,
    };
    char reason[256];
    pthread_t thread;

    options.protocol.preset = "compatible";
    take_options(argc, argv, &options.protocol);
    options.protocol.host_keys = host_keys;
    options.protocol.host_key_count = host_count;
    options.protocol.further_host_keys = further;
    options.protocol.further_host_key_count = further_count;
    options.protocol.host_certificates = certificates;
    options.protocol.host_certificate_count = certificate_count;
    options.protocol.log = log_line;
    options.protocol.log_level = SP_LOG_VERBOSE;
    if (sp_server_new(&running, &options, &handlers, NULL, reason, sizeof reason) != 0) {
        (void)fprintf(stderr, "server: %s\n", reason);
        return 1;
    }
    let_go(host_keys, host_count);
    let_go(further, further_count);
    for (size_t i = 0; i < certificate_count; i++)
        sp_cert_unref((sp_cert *)(uintptr_t)certificates[i]);
    must(sp_server_listen(running, "127.0.0.1", 0), "listen");
    must(pthread_create(&thread, NULL, read_orders, NULL) == 0 ? 0 : SP_EIO, "thread");
    (void)printf("listening on 127.0.0.1:%u\n", (unsigned)sp_server_port(running, 0));
    (void)fflush(stdout);
    int result = sp_server_run(running);
    (void)pthread_join(thread, NULL);
    sp_server_free(running);
    answer_held(false);
    let_go(private_keys, private_count);
    return result == 0 ? 0 : 1;
}
