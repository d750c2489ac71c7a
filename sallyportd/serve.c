/* serve.c: turns the options into the library's, starts the server on the sockets and runs it. */
#include "serve.h"

#include <stdlib.h>
#include <string.h>

#include "announce.h"
#include "daemon.h"
#include "files.h"
#include "forward.h"
#include "inetd.h"
#include "keywords.h"
#include "log.h"
#include "login.h"
#include "notify.h"
#include "reload.h"
#include "session.h"

/* Zero is "the default" to the library and "none" to sshd's words. */
static void fill_protocol(sp_protocol_options *to, const options *o, const host_keys *keys,
                          const char *version)
{
    to->version = version;
    to->host_keys = keys->keys;
    to->host_key_count = keys->count;
    to->further_host_keys = keys->further;
    to->further_host_key_count = keys->further_count;
    to->host_certificates = (const sp_cert *const *)keys->certificates;
    to->host_certificate_count = keys->certificate_count;
    to->preset = preset_name(o);
    to->kex_algorithms = o->kex_algorithms;
    to->host_key_algorithms = o->host_key_algorithms;
    to->ciphers = o->ciphers;
    to->macs = o->macs;
    to->compressions = o->compression == COMPRESSION_NONE     ? "none"
                       : o->compression == COMPRESSION_ALWAYS ? "none,zlib@openssh.com,zlib"
                                                              : NULL;
    to->ca_signature_algorithms = o->ca_algorithms;
    to->login_timeout_ms = o->login_grace_seconds != 0 ? o->login_grace_seconds * 1000 : UINT32_MAX;
    to->keepalive_interval_ms = o->client_alive_seconds * 1000;
    to->keepalive_count = o->client_alive_count != 0 ? o->client_alive_count : UINT32_MAX;
    to->rekey_bytes = o->rekey_bytes;
    to->rekey_seconds = o->rekey_seconds == NOT_GIVEN ? 0
                        : o->rekey_seconds == 0       ? UINT32_MAX
                                                      : o->rekey_seconds;
    to->max_auth_attempts = o->max_auth_tries != 0 ? o->max_auth_tries : 1;
    to->max_sessions = UINT32_MAX; /* session.c counts: it depends on who is logged in */
    to->log = log_from_library;
    to->log_level = options_log_level(o);
}

/* The primes for group exchange, where it is on. Without the file there are those that are built
 * in, as in sshd. The caller frees it. */
static char *read_moduli(const options *o, size_t *length)
{
    const char *kex =
        o->kex_algorithms != NULL ? o->kex_algorithms : sp_preset_algorithms(preset_name(o), "kex");
    char problem[256];
    bool absent;

    *length = 0;
    if (o->moduli_file == NULL || kex == NULL || strstr(kex, "group-exchange") == NULL)
        return NULL;
    char *text = file_read(o->moduli_file, &(file_rules){.strict = false}, length, &absent, problem,
                           sizeof problem);
    if (text == NULL && (!absent || options_is_given(o, "ModuliFile")))
        log_error("ModuliFile %s: %s; the built-in groups are used", o->moduli_file, problem);
    return text;
}

/* The only external keys are the agent's. */
static sp_answer sign_by_agent(sp_conn *conn, sp_sign *sign, const sp_key *key,
                               const char *algorithm, const void *data, size_t length)
{
    const program *p = sp_server_data(sp_conn_server(conn));

    (void)key;
    (void)algorithm;
    (void)data;
    (void)length;
    return p->agent_path != NULL ? sp_agent_sign(sign, p->agent_path) : SP_REJECT;
}

static int make_server(program *p, const host_keys *keys)
{
    const options *o = config_own(p->config);
    sp_server_options to = {SP_SERVER_OPTIONS_INIT};
    sp_server_handlers handlers = {SP_SERVER_HANDLERS_INIT};
    char reason[256] = "";
    char *version = NULL;

    if (o->version_addendum != NULL) {
        version = text_format("Sallyport_%s %s", sp_version(), o->version_addendum);
        if (version == NULL)
            return -1;
    }
    /* What any Match block accepts; authorize.c looks at the connection's own list. */
    char *signatures = NULL;
    if (config_key_algorithms(p->config, &signatures) != 0) {
        free(version);
        return -1;
    }
    fill_protocol(&to.protocol, o, keys, version);
    to.protocol.signature_algorithms = signatures;
    char *moduli = read_moduli(o, &to.protocol.moduli_length);
    to.protocol.moduli = moduli;
    to.x11_display_offset = o->x11_display_offset;
    to.x11_all_addresses = !o->x11_use_localhost;
    to.max_unauthenticated = o->startups_full;
    login_handlers(&handlers);
    session_handlers(&handlers);
    forward_handlers(&handlers);
    p->agent_path = host_agent_path(o);
    handlers.sign = sign_by_agent;
    int result = sp_server_new(&p->server, &to, &handlers, p, reason, sizeof reason);
    free(version);
    free(signatures);
    free(moduli);
    if (result != 0)
        log_error("The server can't be started: %s",
                  *reason != '\0' ? reason : sp_strerror(result));
    return result;
}

static int hand_over_sockets(program *p, listeners *l)
{
    for (size_t i = 0; i < l->count; i++) {
        listener *item = &l->items[i];
        int result = sp_server_listen_fd(p->server, item->fd);
        if (result != 0) {
            log_error("Listening on %s port %u: %s", item->host, (unsigned)item->port,
                      sp_strerror(result));
            return -1;
        }
        item->fd = -1;
        log_info("Server listening on %s port %u.", item->host, (unsigned)item->port);
    }
    return 0;
}

/* -i */
static int serve_standard_input(program *p)
{
    int fd = inetd_open();
    if (fd < 0)
        return SP_EIO;

    int result = sp_server_serve_fd(p->server, fd);
    if (result != 0)
        log_error("Standard input is no connection to serve: %s", sp_strerror(result));
    else
        sp_server_drain(p->server, 0);
    return result;
}

static int begin(program *p, const flags *f, const host_keys *keys, listeners *l,
                 const char *pid_file)
{
    if (f->inetd)
        return serve_standard_input(p);
    if (hand_over_sockets(p, l) != 0 || pid_file_write(pid_file) != 0)
        return -1;
    announce_command(p, l, announce_known_hosts(p->account, l, keys) == 0);
    return 0;
}

static int run(program *p, const flags *f, const host_keys *keys, listeners *l, int detached,
               const char *pid_file)
{
    bool reloads = !f->inetd && config_has_file(p->config);

    if (reloads && reload_start(p) != 0)
        return 255;
    daemon_catch_signals(p->server, detached < 0 && !reloads);
    if (begin(p, f, keys, l, pid_file) != 0)
        return 255;
    log_settled();
    if (detached >= 0)
        daemon_ready(detached, f->to_stderr);
    notify_ready();

    int result = sp_server_run(p->server);
    notify_stopping();
    if (!f->inetd)
        pid_file_remove(pid_file);
    if (result != 0)
        log_error("The server failed: %s", sp_strerror(result));
    else
        log_info("Server stopped");
    return result == 0 ? 0 : 255;
}

int serve(program *p, const flags *f, const host_keys *keys, listeners *l, int detached)
{
    if (make_server(p, keys) != 0)
        return 255;
    options *first = options_ref(config_own(p->config)); /* whatever is read later */
    int code = run(p, f, keys, l, detached, first->pid_file);
    sp_server *server = p->server;
    reload_stop();
    daemon_forget_signals();
    sp_server_free(server);
    p->server = NULL;
    if (f->inetd)
        inetd_finish();
    options_unref(first);
    return code;
}
