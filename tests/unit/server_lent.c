/* What a client lends to a session, without a client: private directories; and the n-th allocation
 * fails, for all n, while programs come to the agent's socket and to the display. Nothing is left
 * over, in memory or in the file system. */
#include "support/meter.h"
#include "support/server_stand.h"

#include "base/mem.h"
#include "loop/private.h"
#include "server/lent.h"
#include "server/x11_setup.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>

static char place[32];

static int make_place(void **state)
{
    (void)state;
    strcpy(place, "/tmp/sp-lent-XXXXXX");
    return mkdtemp(place) == NULL ? -1 : 0;
}

static int remove_place(void **state)
{
    (void)state;
    return rmdir(place);
}

static size_t entries(void)
{
    size_t count = 0;
    DIR *dir = opendir(place);
    assert_non_null(dir);
    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count - 2;
}

static void test_private_directory(void **state)
{
    (void)state;
    static const uint8_t unique[16] = {0xab, 1};
    spb_env env;
    spb_env_init(&env, NULL);
    char *path = NULL;
    char *second = NULL;
    char longer[64];
    memset(longer, 'x', sizeof longer);
    longer[0] = '/';
    longer[63] = '\0';
    assert_int_equal(spl_private_dir(&env, "relative", unique, &path), SP_EINVAL);
    assert_int_equal(spl_private_dir(&env, "", unique, &path), SP_EINVAL);
    assert_int_equal(spl_private_dir(&env, longer, unique, &path), SP_EINVAL);
    assert_int_equal(spl_private_dir(&env, "/nonexistent/x", unique, &path), SP_ENOENT);
    assert_null(path);

    mode_t mask = umask(0);
    assert_int_equal(spl_private_dir(&env, place, unique, &path), 0);
    char file[128];
    snprintf(file, sizeof file, "%s/sallyport-ab01%028d", place, 0);
    assert_string_equal(path, file);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    /* Nothing is used that is there already. */
    assert_int_not_equal(spl_private_dir(&env, place, unique, &second), 0);
    assert_null(second);

    strcat(file, "/file");
    assert_int_equal(spl_private_file(file, "text", 4), 0);
    assert_int_equal(stat(file, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(status.st_size, 4);
    assert_int_not_equal(spl_private_file(file, "text", 4), 0);
    umask(mask);
    spl_private_dir_remove(path); /* not while there is something in it */
    assert_int_equal(stat(path, &status), 0);
    spl_private_remove(file);
    assert_int_equal(symlink("/nonexistent", file), 0);
    assert_int_not_equal(spl_private_file(file, "text", 4), 0);
    spl_private_remove(file);
    spl_private_dir_remove(path);
    assert_int_not_equal(stat(path, &status), 0);
    spb_free(&env, path);
}

static void test_peer(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_true(spl_peer_is_own(fds[0]));
    close(fds[0]);
    close(fds[1]);
    assert_false(spl_peer_is_own(-1));
    int tcp = socket(AF_INET, SOCK_STREAM, 0);
    assert_false(spl_peer_is_own(tcp));
    close(tcp);
}

/* ---- memory ---- */

#define PROGRAMS 3

typedef struct world {
    meter m;
    sp_server *server;
    sp_conn *conn;
    sp_timer *timer;
    int client;
    int programs[PROGRAMS]; /* one at the agent, two at the display: right and wrong cookie */
} world;

static void made(sp_conn *conn)
{
    ((world *)sp_server_data(sp_conn_server(conn)))->conn = conn;
}

static void connect_agent(world *w, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, path);
    w->programs[0] = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(w->programs[0], (struct sockaddr *)&address, sizeof address), 0);
}

static int connect_display(const char *display, const uint8_t *cookie)
{
    uint8_t message[48] = {'B', 0, 0, 11, 0, 0, 0, 18, 0, 16};
    struct sockaddr_in address = {.sin_family = AF_INET};
    unsigned number = (unsigned)strtoul(strchr(display, ':') + 1, NULL, 10);
    address.sin_port = htons((uint16_t)(6000 + number));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    memcpy(message + 12, SPS_X11_PROTOCOL, 18);
    memcpy(message + 32, cookie, 16);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(send(fd, message, sizeof message, MSG_NOSIGNAL), sizeof message);
    return fd;
}

static void connect_displays(world *w, const sp_channel *channel)
{
    uint8_t file[512];
    FILE *f = fopen(sp_channel_get_xauthority(channel), "rb");
    assert_non_null(f);
    size_t length = fread(file, 1, sizeof file, f);
    fclose(f);
    assert_true(length > 16);
    w->programs[1] = connect_display(sp_channel_get_display(channel), file + length - 16);
    w->programs[2] = connect_display(sp_channel_get_display(channel), file);
}

static void lend(world *w)
{
    sp_request request;
    memset(&request, 0, sizeof request);
    request.type = SP_REQUEST_X11;
    request.text = "MIT-MAGIC-COOKIE-1";
    request.value = "00112233445566778899aAbBcCdDeEfF";
    const sp_session_handlers none = {SP_SESSION_HANDLERS_INIT};
    sp_channel *channel = sps_channel_new(w->conn->queue, &none, NULL);
    if (channel == NULL)
        return;
    if (sps_channel_attach(channel, w->conn, 7) != 0) {
        sp_channel_unref(channel);
        return;
    }
    sps_count(&w->server->counters.channels, 1);
    if (sps_agent_make(channel))
        connect_agent(w, sp_channel_get_agent_path(channel));
    if (sps_display_make(channel, &request))
        connect_displays(w, channel);
    static const char *const given[] = {"DISPLAY=x", "A=b", "SSH_AUTH_SOCK=", NULL};
    const char **environment = sps_spawn_environment(channel, given);
    if (environment != NULL) {
        size_t count = 0;
        while (environment[count] != NULL)
            count++;
        size_t expected = 3 + (channel->display != NULL); /* XAUTHORITY is new */
        assert_int_equal(count, expected);
        spb_free(spl_queue_env(channel->queue), environment);
    }
}

/* When each program was turned away, the client leaves. */
static void look(void *data)
{
    world *w = data;
    char bytes[512];
    for (size_t i = 0; i < PROGRAMS; i++) {
        if (w->programs[i] < 0)
            continue;
        ssize_t n = recv(w->programs[i], bytes, sizeof bytes, MSG_DONTWAIT);
        if (n > 0 || (n < 0 && errno == EAGAIN))
            return;
        close(w->programs[i]);
        w->programs[i] = -1;
    }
    w->m.until = -1;
    (void)shutdown(w->client, SHUT_WR);
}

static bool one_life(long n, bool once)
{
    world w = {.m = {.until = -1, .once = once}, .programs = {-1, -1, -1}};
    sp_key *key = NULL;
    assert_int_equal(sp_key_generate(&key, SP_KEY_ED25519, 0), 0);
    sp_server_options options = {SP_SERVER_OPTIONS_INIT};
    options.protocol.host_keys = &key;
    options.protocol.host_key_count = 1;
    options.protocol.allocator = (sp_allocator){&w.m, meter_alloc, meter_realloc, meter_free};
    options.lending_directory = place;
    const sp_server_handlers handlers = {SP_SERVER_HANDLERS_INIT, .connection_made = made};
    assert_int_equal(sp_server_new(&w.server, &options, &handlers, &w, NULL, 0), 0);
    w.client = stand_client(w.server);
    w.timer = sp_timer_start(w.server, 1, 1, look, &w);
    assert_non_null(w.timer);
    w.m.until = n;
    lend(&w);
    sp_server_close(w.server);
    assert_int_equal(sp_server_run(w.server), 0);
    bool failed = w.m.failed;
    sp_server_free(w.server);
    close(w.client);
    sp_key_unref(key);
    assert_int_equal(w.m.live, 0);
    assert_int_equal(entries(), 0);
    return failed;
}

static void every_allocation_fails(void **state)
{
    (void)state;
    for (int once = 0; once < 2; once++) {
        long n = 0;
        while (one_life(n, once != 0))
            n++;
        assert_true(n > 15);
    }
}

static void test_options(void **state)
{
    (void)state;
    const char *const bad[] = {"", "relative/path",
                               "/a/path/that/is/too/long/for/the/address/of/a/unix/socket"};
    sp_server_options options = {SP_SERVER_OPTIONS_INIT};
    const sp_server_handlers handlers = {SP_SERVER_HANDLERS_INIT};
    for (size_t i = 0; i < 3; i++) {
        sp_server *server = NULL;
        char reason[100] = "";
        options.lending_directory = bad[i];
        assert_int_equal(sp_server_new(&server, &options, &handlers, NULL, reason, sizeof reason),
                         SP_EINVAL);
        assert_non_null(strstr(reason, "lending directory"));
        assert_null(server);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_private_directory),
        cmocka_unit_test(test_peer),
        cmocka_unit_test(test_options),
        cmocka_unit_test(every_allocation_fails),
    };
    return cmocka_run_group_tests(tests, make_place, remove_place);
}
