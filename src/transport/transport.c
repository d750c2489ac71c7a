/* The transport object: making, ending, failing, time and questions. RFC 4253. */
#include "transport/transport_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ERROR_TEXT_MAX 512
#define MESSAGE_LIMIT ((size_t)256 * 1024)

static void set_limits_of(spt_transport *t, const sp_protocol_options *options)
{
    t->limits = (sp_limits){.size = sizeof(sp_limits),
                            .max_auth_attempts = options->max_auth_attempts,
                            .keepalive_interval_ms = options->keepalive_interval_ms,
                            .keepalive_count = options->keepalive_count,
                            .rekey_bytes = options->rekey_bytes,
                            .rekey_seconds = options->rekey_seconds};
}

const sp_limits *spt_limits(const spt_transport *t)
{
    return &t->limits;
}

int spt_set_limits(spt_transport *t, const sp_limits *limits)
{
    sp_limits *to = &t->limits;

    if (limits->rekey_bytes != 0 && limits->rekey_bytes < 16)
        return SP_EINVAL;
    if (limits->max_auth_attempts != 0)
        to->max_auth_attempts = limits->max_auth_attempts;
    if (limits->keepalive_interval_ms != 0)
        to->keepalive_interval_ms =
            limits->keepalive_interval_ms == UINT32_MAX ? 0 : limits->keepalive_interval_ms;
    if (limits->keepalive_count != 0)
        to->keepalive_count = limits->keepalive_count;
    if (limits->rekey_bytes != 0)
        to->rekey_bytes = limits->rekey_bytes;
    if (limits->rekey_seconds != 0)
        to->rekey_seconds = limits->rekey_seconds;
    return 0;
}

int spt_new(spt_transport **out, sp_config *config, sp_pool *pool, uint64_t now_ms)
{
    const spb_env *env = &config->env;
    spt_transport *t = spb_calloc(env, 1, sizeof *t);

    *out = NULL;
    if (t == NULL)
        return SP_ENOMEM;
    t->config = sp_config_ref(config);
    t->pool = pool;
    t->now = now_ms;
    t->last_received = now_ms;
    set_limits_of(t, &config->options);
    t->in.compression = "none";
    t->out.compression = "none";
    spb_buffer_init(&t->message, env, MESSAGE_LIMIT);
    t->message.secret = false;
    spb_buffer_init(&t->held, env, HELD_LIMIT);

    int result = spt_output_bytes(t, config->version, strlen(config->version));
    if (result == 0)
        result = spt_output_bytes(t, "\r\n", 2);
    if (result == 0)
        result = spt_kex_start(t);
    if (result != 0) {
        spt_free(t);
        return result;
    }
    *out = t;
    return 0;
}

void spt_free(spt_transport *t)
{
    if (t == NULL)
        return;
    const spb_env *env = spt_env(t);
    sp_config *config = t->config;

    spt_input_discard(t);
    spt_consumed(t, t->output_length);
    spt_kex_free(t);
    spt_direction *directions[2] = {&t->in, &t->out};
    for (int i = 0; i < 2; i++) {
        spc_protection_free(directions[i]->protection);
        spt_compressor_free(directions[i]->compressor);
    }
    spb_buffer_free(&t->message);
    spb_buffer_free(&t->held);
    spb_buffer_free(&t->inflated);
    spb_free(env, t->peer_version);
    spb_free(env, t->debug_text);
    spb_free(env, t->debug_language);
    spb_free(env, t->failure_text);
    spb_free_secret(env, t, sizeof *t);
    sp_config_unref(config);
}

const sp_config *spt_config(const spt_transport *t)
{
    return t->config;
}

spb_pool *spt_pool(const spt_transport *t)
{
    return t->pool;
}

const spb_env *spt_env(const spt_transport *t)
{
    return &t->config->env;
}

uint64_t spt_now(const spt_transport *t)
{
    return t->now;
}

spb_span spt_session_id(const spt_transport *t)
{
    return (spb_span){t->session_id, t->session_id_length};
}

spt_phase spt_get_phase(const spt_transport *t)
{
    if (t->error != NULL)
        return SPT_PHASE_CLOSED;
    if (t->peer_version == NULL)
        return SPT_PHASE_VERSION;
    switch (t->kex_state) {
    case KEX_SENT:
        return t->first_kex_done ? SPT_PHASE_OPEN : SPT_PHASE_FIRST_KEXINIT;
    case KEX_WAIT_GEX_REQUEST:
        return t->first_kex_done ? SPT_PHASE_REKEY_GEX_REQUEST : SPT_PHASE_FIRST_GEX_REQUEST;
    case KEX_WAIT_GEX_INIT:
        return t->first_kex_done ? SPT_PHASE_REKEY_GEX_INIT : SPT_PHASE_FIRST_GEX_INIT;
    case KEX_WAIT_INIT:
    case KEX_WAIT_COMPUTATION: /* nothing is read in these two */
    case KEX_WAIT_SIGN:
        return t->first_kex_done ? SPT_PHASE_REKEY_KEX_INIT : SPT_PHASE_FIRST_KEX_INIT;
    case KEX_WAIT_NEWKEYS:
        return t->first_kex_done ? SPT_PHASE_REKEY_NEWKEYS : SPT_PHASE_FIRST_NEWKEYS;
    case KEX_IDLE:
        break;
    }
    return SPT_PHASE_OPEN;
}

bool spt_strict(const spt_transport *t)
{
    return t->strict;
}

bool spt_skips_guess(const spt_transport *t)
{
    return (t->kex_state == KEX_WAIT_INIT || t->kex_state == KEX_WAIT_GEX_REQUEST) &&
           t->kex->skip_guess;
}

void spt_guess_skipped(spt_transport *t)
{
    t->kex->skip_guess = false;
}

bool spt_ext_info_due(const spt_transport *t)
{
    return t->ext_info_due;
}

bool spt_service_granted(const spt_transport *t)
{
    return t->service_granted;
}

/* Failing needs no memory: only the words may be lost. */
static void record_error(spt_transport *t, int error, uint32_t code, bool from_peer,
                         const char *text)
{
    t->failure_text = spb_strdup(spt_env(t), text);
    t->failure = (sp_conn_error){error, code, from_peer,
                                 t->failure_text == NULL ? "out of memory" : t->failure_text};
    t->error = &t->failure;
}

int spt_fail(spt_transport *t, int error, uint32_t code, const char *format, ...)
{
    char text[ERROR_TEXT_MAX];
    va_list args;

    if (t->error != NULL)
        return error;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    spb_log(spt_env(t), SP_LOG_VERBOSE, "connection ends: %s", text);
    /* The error is there before the message goes out: a failure to send must not come back here. */
    record_error(t, error, code, false, text);
    if (code != 0 && t->peer_version != NULL) {
        spb_buffer *b = spt_begin(t, SSH_MSG_DISCONNECT);
        spw_u32(b, code);
        spw_cstring(b, text);
        spw_cstring(b, NULL);
        (void)spt_end(t);
    }
    return error;
}

bool spt_failed(const spt_transport *t)
{
    return t->error != NULL;
}

void spt_peer_disconnected(spt_transport *t, uint32_t code, spb_span text)
{
    char clean[ERROR_TEXT_MAX];

    if (t->error != NULL)
        return;
    spb_printable(clean, sizeof clean, text.data, text.length);
    spb_log(spt_env(t), SP_LOG_VERBOSE, "the client disconnects, code %lu: %s", (unsigned long)code,
            clean);
    record_error(t, SP_EDISCONNECT, code, true, clean);
}

const sp_conn_error *spt_error(const spt_transport *t)
{
    return t->error;
}

int spt_authenticated(spt_transport *t)
{
    spt_direction *directions[2] = {&t->in, &t->out};

    t->authenticated = true;
    for (int i = 0; i < 2; i++) {
        spt_direction *d = directions[i];
        if (!spt_compression_starts(d->compression, true) || d->compressor != NULL)
            continue;
        d->compressor = spt_compressor_new(spt_env(t), d == &t->out);
        if (d->compressor == NULL)
            return spt_fail(t, SP_ENOMEM, SP_DISCONNECT_BY_APPLICATION, "out of memory");
    }
    return 0;
}

bool spt_next_event(spt_transport *t, sp_event *event)
{
    if (t->error != NULL)
        return false;
    if (t->event_keys) {
        memset(event, 0, sizeof *event);
        event->type = SP_EVENT_KEYS;
        event->u.keys.first = t->event_keys_first;
        t->event_keys = false;
        return true;
    }
    if (t->kex_state == KEX_WAIT_COMPUTATION && !t->kex->computation_asked) {
        memset(event, 0, sizeof *event);
        event->type = SP_EVENT_COMPUTE;
        event->question = t->kex->question;
        event->u.compute.computation = t->kex->computation;
        t->kex->computation_asked = true;
        return true;
    }
    if (t->kex_state == KEX_WAIT_SIGN && !t->kex->sign_asked) {
        spt_kex *k = t->kex;
        memset(event, 0, sizeof *event);
        event->type = SP_EVENT_SIGN;
        event->question = k->question;
        event->u.sign.key = k->host->key;
        event->u.sign.algorithm = k->host->signature->name;
        event->u.sign.data = k->hash;
        event->u.sign.length = spc_hash_size(k->method->hash);
        k->sign_asked = true;
        return true;
    }
    return false;
}

bool spt_take_writable(spt_transport *t)
{
    bool writable = t->writable && spt_can_send_data(t);
    if (writable)
        t->writable = false;
    return writable;
}

void spt_set_now(spt_transport *t, uint64_t now_ms)
{
    if (now_ms > t->now)
        t->now = now_ms;
}

uint64_t spt_deadline(const spt_transport *t)
{
    if (!t->authenticated)
        return UINT64_MAX;
    if (t->kex_state == KEX_WAIT_SIGN)
        return t->kex->sign_deadline;
    return t->kex_state == KEX_IDLE ? spt_rekey_deadline(t) : UINT64_MAX;
}

uint64_t spt_last_received(const spt_transport *t)
{
    return t->last_received;
}

const char *spt_peer_version(const spt_transport *t)
{
    return t->peer_version;
}

int spt_algorithms(const spt_transport *t, sp_algorithms *out)
{
    static const char implicit[] = "<implicit>";

    memset(out, 0, sizeof *out);
    if (!t->first_kex_done)
        return SP_ESTATE;
    out->kex = t->kex_name;
    out->host_key = t->host->name;
    out->cipher_in = t->in.cipher->name;
    out->cipher_out = t->out.cipher->name;
    out->mac_in = t->in.mac == NULL ? implicit : t->in.mac->name;
    out->mac_out = t->out.mac == NULL ? implicit : t->out.mac->name;
    out->compression_in = t->in.compression;
    out->compression_out = t->out.compression;
    out->strict_kex = t->strict;
    return 0;
}
