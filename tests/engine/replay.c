/* Recorded logins drive the engine alone, byte for byte: the client's bytes come from a file, made
 * once with a real client, and the server's bytes must be those of the file.
 *
 * `engine_replay record FILE` makes one: it listens, prints its port, serves one connection. A file
 * is: the host key's text, then records of a type ('<' from the client, '>' to it, 'E' end of
 * input), the clock in milliseconds (u64) and a string. */
#include "support/client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#ifndef TEST_DATA_DIR
#define TEST_DATA_DIR "tests/engine/data"
#endif
#define SEED 20260101

/* What goes out of a recording must not change with the defaults. */
#define SIGNATURES                                                                                 \
    "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,"                     \
    "rsa-sha2-512,rsa-sha2-256"

static void set_algorithms(sp_protocol_options *o)
{
    o->kex_algorithms = "curve25519-sha256,curve25519-sha256@libssh.org,"
                        "ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521";
    o->macs = "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,"
              "hmac-sha2-256,hmac-sha2-512";
    o->signature_algorithms = SIGNATURES;
}

/* What the recorded server does: any key logs in; a command is answered by its name; status 7. */
static void react(test_client *c, const sp_event *event)
{
    static const char answer[] = "replayed: ";
    sp_auth_reply accept = {.verdict = SP_AUTH_ACCEPT};
    sp_auth_reply refuse = {.verdict = SP_AUTH_REJECT};

    switch (event->type) {
    case SP_EVENT_AUTH_BEGIN:
        c->events[event->type]++;
        (void)sp_engine_answer_auth(c->engine, event->question, &refuse);
        break;
    case SP_EVENT_AUTH_PUBLIC_KEY:
        c->events[event->type]++;
        (void)sp_engine_answer_auth(c->engine, event->question, &accept);
        break;
    case SP_EVENT_REQUEST:
        c->events[event->type]++;
        if (event->question != 0)
            (void)sp_engine_answer_request(c->engine, event->question, true);
        if (event->u.request.type == SP_REQUEST_EXEC) {
            (void)sp_engine_write(c->engine, event->channel, SP_DATA_NORMAL, answer,
                                  sizeof answer - 1);
            (void)sp_engine_write(c->engine, event->channel, SP_DATA_NORMAL, event->u.request.text,
                                  strlen(event->u.request.text));
            (void)sp_engine_exit(c->engine, event->channel, 7);
        }
        break;
    default:
        client_default_event(c, event);
        break;
    }
}

static void start(test_client *c, test_random *random, const char *key_text)
{
    sp_protocol_options o = {SP_PROTOCOL_OPTIONS_INIT};

    client_init(c);
    c->on_event = react;
    random->state = SEED;
    o.random.ctx = random;
    o.random.fill = test_random_fill;
    o.version = "Sallyport_replay";
    set_algorithms(&o);
    if (sp_key_parse_private(&c->host_key, key_text, strlen(key_text), NULL) != 0)
        abort();
    o.host_keys = &c->host_key;
    o.host_key_count = 1;
    o.no_host_key_rotation = true; /* the recordings are older */
    client_start(c, &o);
}

/* ---- recording ---- */

static void put(FILE *f, char type, uint64_t now, const void *data, size_t length)
{
    uint8_t head[13];
    head[0] = (uint8_t)type;
    spb_put_u32(head + 1, (uint32_t)(now >> 32));
    spb_put_u32(head + 5, (uint32_t)now);
    spb_put_u32(head + 9, (uint32_t)length);
    if (fwrite(head, sizeof head, 1, f) != 1 || (length > 0 && fwrite(data, length, 1, f) != 1))
        abort();
}

static int record(const char *path)
{
    static const char key_path[] = "replay_host_key.tmp";
    char key_text[4096];
    test_client c;
    test_random random;
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    sp_key *key;

    unlink(key_path);
    if (sp_key_generate(&key, SP_KEY_ED25519, 0) != 0 ||
        sp_key_save_private(key, key_path, "replay") != 0)
        return 1;
    sp_key_unref(key);
    FILE *k = fopen(key_path, "rb");
    if (k == NULL)
        return 1;
    size_t n = fread(key_text, 1, sizeof key_text - 1, k);
    fclose(k);
    unlink(key_path);
    key_text[n] = '\0';

    FILE *f = fopen(path, "wb");
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (f == NULL || listener < 0 ||
        bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(listener, 1) != 0 || getsockname(listener, (struct sockaddr *)&address, &size) != 0)
        return 1;
    printf("%u\n", ntohs(address.sin_port));
    fflush(stdout);
    int fd = accept(listener, NULL, NULL);
    if (fd < 0)
        return 1;

    put(f, 'K', 0, key_text, n);
    start(&c, &random, key_text);
    for (;;) {
        uint8_t bytes[65536];
        client_pump(&c);
        if (c.in.length > 0) {
            put(f, '>', c.now, c.in.data, c.in.length);
            if (write(fd, c.in.data, c.in.length) < 0)
                break;
            spb_buffer_clear(&c.in);
        }
        if (c.closed)
            break;
        uint64_t deadline = sp_engine_deadline(c.engine);
        int wait = deadline == UINT64_MAX ? -1 : (int)(deadline > c.now ? deadline - c.now : 0);
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, wait < 0 || wait > 1000 ? 1000 : wait) == 0) {
            c.now = wait < 0 || wait > 1000 ? c.now + 1000 : deadline;
            put(f, 'T', c.now, NULL, 0);
            sp_engine_tick(c.engine, c.now);
            continue;
        }
        ssize_t got = read(fd, bytes, sizeof bytes);
        if (got <= 0) {
            put(f, 'E', c.now, NULL, 0);
            sp_engine_input_ended(c.engine, 0, NULL);
            continue;
        }
        c.now++;
        put(f, '<', c.now, bytes, (size_t)got);
        sp_engine_tick(c.engine, c.now);
        client_raw(&c, bytes, (size_t)got);
    }
    close(fd);
    close(listener);
    client_free(&c);
    return fclose(f) == 0 ? 0 : 1;
}

/* ---- replaying ---- */

static uint8_t *load(const char *name, size_t *length)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", TEST_DATA_DIR, name);
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        fail_msg("%s: %s", path, strerror(errno));
    uint8_t *data = malloc(1 << 20);
    assert_non_null(data);
    *length = fread(data, 1, 1 << 20, f);
    fclose(f);
    return data;
}

/* Feeds the client's bytes in pieces of `piece` (0: as recorded) and compares what comes out. */
static void replay(const char *name, size_t piece)
{
    size_t length;
    uint8_t *data = load(name, &length);
    spb_reader r;
    test_client c;
    test_random random;
    spb_buffer wanted;
    char key_text[4096];

    spr_init(&r, data, length);
    assert_int_equal(spr_u8(&r), 'K');
    (void)spr_u64(&r);
    spb_span key = spr_string(&r);
    assert_true(spr_ok(&r) && key.length < sizeof key_text);
    memcpy(key_text, key.data, key.length);
    key_text[key.length] = '\0';
    start(&c, &random, key_text);
    client_buffer(&c, &wanted);
    client_pump(&c);
    while (spr_left(&r) > 0) {
        uint8_t type = spr_u8(&r);
        uint64_t now = spr_u64(&r);
        spb_span bytes = spr_string(&r);
        assert_true(spr_ok(&r));
        sp_engine_tick(c.engine, now);
        switch (type) {
        case '<':
            for (size_t at = 0; at < bytes.length;) {
                size_t step = bytes.length - at;
                if (piece != 0 && step > piece)
                    step = piece;
                client_raw(&c, bytes.data + at, step);
                at += step;
            }
            break;
        case '>':
            spw_bytes(&wanted, bytes.data, bytes.length);
            break;
        case 'E':
            sp_engine_input_ended(c.engine, 0, NULL);
            break;
        case 'T':
            break;
        default:
            fail_msg("unknown record %u", type);
        }
        client_pump(&c);
    }
    assert_int_equal(c.in.length, wanted.length);
    assert_memory_equal(c.in.data, wanted.data, wanted.length);
    assert_true(c.closed);
    assert_int_equal(c.events[SP_EVENT_KEYS], 1);
    assert_true(c.events[SP_EVENT_AUTH_PUBLIC_KEY] >= 1);
    assert_true(c.events[SP_EVENT_REQUEST] >= 1);
    assert_int_equal(c.events[SP_EVENT_CHANNEL_CLOSED], 1);
    spb_buffer_free(&wanted);
    client_free(&c);
    free(data);
}

static const char *const recordings[] = {"login_openssh.rec", "login_plink.rec"};
#define EACH(i) for (size_t i = 0; i < sizeof recordings / sizeof recordings[0]; i++)

static void as_recorded(void **unused)
{
    (void)unused;
    EACH(i) replay(recordings[i], 0);
}

static void one_byte_at_a_time(void **unused)
{
    (void)unused;
    EACH(i) replay(recordings[i], 1);
}

/* ---- the n-th allocation fails, for all n ---- */

typedef struct failing {
    long left; /* allocations until one fails; negative: none does */
    long live;
    bool failed;
} failing;

static void *failing_realloc(void *ctx, void *ptr, size_t size)
{
    failing *f = ctx;
    if (f->left >= 0 && f->left-- == 0) {
        f->failed = true;
        return NULL;
    }
    void *p = realloc(ptr, size);
    if (p != NULL && ptr == NULL)
        f->live++;
    return p;
}

static void *failing_alloc(void *ctx, size_t size)
{
    return failing_realloc(ctx, NULL, size);
}

static void failing_free(void *ctx, void *ptr)
{
    failing *f = ctx;
    f->live--;
    free(ptr);
}

/* The recorded bytes against an engine whose n-th allocation fails. */
static void feed(const uint8_t *data, size_t length, failing *f)
{
    sp_protocol_options o = {SP_PROTOCOL_OPTIONS_INIT};
    test_random random = {SEED};
    test_client c;
    spb_reader r;
    char key_text[4096];

    client_init(&c);
    c.on_event = react;
    spr_init(&r, data, length);
    (void)spr_u8(&r);
    (void)spr_u64(&r);
    spb_span key = spr_string(&r);
    assert_true(key.length < sizeof key_text);
    memcpy(key_text, key.data, key.length);
    key_text[key.length] = '\0';
    assert_int_equal(sp_key_parse_private(&c.host_key, key_text, key.length, NULL), 0);
    o.host_keys = &c.host_key;
    o.host_key_count = 1;
    o.no_host_key_rotation = true;
    o.version = "Sallyport_replay";
    set_algorithms(&o);
    o.random = (sp_random){&random, test_random_fill};
    o.allocator = (sp_allocator){f, failing_alloc, failing_realloc, failing_free};
    if (sp_config_new(&c.config, &o, NULL, 0) != 0 ||
        sp_engine_new(&c.engine, c.config, NULL, c.now) != 0) {
        client_free(&c);
        return;
    }
    while (spr_left(&r) > 0 && !c.closed) {
        uint8_t type = spr_u8(&r);
        uint64_t now = spr_u64(&r);
        spb_span bytes = spr_string(&r);
        sp_engine_tick(c.engine, now);
        if (type == '<')
            client_raw(&c, bytes.data, bytes.length);
        if (type == 'E')
            sp_engine_input_ended(c.engine, 0, NULL);
        client_pump(&c);
    }
    client_free(&c);
}

static void survives_each_failed_allocation(void **unused)
{
    (void)unused;
    size_t length;
    uint8_t *data = load(recordings[0], &length);
    for (long n = 0;; n++) {
        failing f = {.left = n};
        feed(data, length, &f);
        assert_int_equal(f.live, 0);
        if (!f.failed) {
            assert_true(n > 50); /* it did go through a whole login */
            break;
        }
    }
    free(data);
}

static void in_odd_pieces(void **unused)
{
    (void)unused;
    EACH(i) for (size_t piece = 2; piece < 100; piece += 5) replay(recordings[i], piece);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_recorded),
        cmocka_unit_test(one_byte_at_a_time),
        cmocka_unit_test(in_odd_pieces),
        cmocka_unit_test(survives_each_failed_allocation),
    };
    if (argc == 3 && strcmp(argv[1], "record") == 0)
        return record(argv[2]);
    return cmocka_run_group_tests_name("engine_replay", tests, NULL, NULL);
}
