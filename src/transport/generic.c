/* The transport's other messages (RFC 4253 10, 11; RFC 8308; OpenSSH PROTOCOL 1.10 ping):
 * DISCONNECT, IGNORE, DEBUG, UNIMPLEMENTED, SERVICE_REQUEST, EXT_INFO, PING. */
#include "transport/transport_internal.h"

#include <stdio.h>
#include <string.h>

#define DEBUG_TEXT_MAX 4096
#define EXTENSIONS_MAX 64

static int malformed(spt_transport *t, const char *what)
{
    return spt_fail(t, SP_EPROTO, SP_DISCONNECT_PROTOCOL_ERROR, "malformed %s message", what);
}

static int disconnect_received(spt_transport *t, spb_reader *r)
{
    uint32_t code = spr_u32(r);
    spb_span text = spr_string(r);

    /* The language tag may be missing: some clients leave it out. */
    if (!spr_ok(r))
        text = (spb_span){(const uint8_t *)"", 0};
    spt_peer_disconnected(t, code, text);
    return SP_EDISCONNECT;
}

static int debug_received(spt_transport *t, spb_reader *r, sp_event *event)
{
    bool always = spr_bool(r);
    spb_span text = spr_string(r);
    spb_span language = spr_string(r);

    if (!spr_done(r))
        return malformed(t, "DEBUG");
    /* What is not clean UTF-8, or far too long, is not shown to anyone. */
    if (text.length > DEBUG_TEXT_MAX || language.length > DEBUG_TEXT_MAX ||
        !spb_utf8_valid(text.data, text.length) || !spb_utf8_valid(language.data, language.length))
        return 0;
    spb_free(spt_env(t), t->debug_text);
    spb_free(spt_env(t), t->debug_language);
    t->debug_text = spb_span_string(spt_env(t), text);
    t->debug_language = spb_span_string(spt_env(t), language);
    if (t->debug_text == NULL || t->debug_language == NULL)
        return 0;
    memset(event, 0, sizeof *event);
    event->type = SP_EVENT_DEBUG;
    event->u.debug.message = t->debug_text;
    event->u.debug.language = t->debug_language;
    event->u.debug.always_display = always;
    return 1;
}

static int service_received(spt_transport *t, spb_reader *r)
{
    spb_span name = spr_string(r);

    if (!spr_done(r))
        return malformed(t, "SERVICE_REQUEST");
    if (!spb_span_is(name, "ssh-userauth")) {
        char text[64];
        spb_printable(text, sizeof text, name.data, name.length);
        return spt_fail(t, SP_EPROTO, SP_DISCONNECT_SERVICE_NOT_AVAILABLE,
                        "service %s is not available", text);
    }
    t->service_granted = true;
    spb_buffer *b = spt_begin(t, SSH_MSG_SERVICE_ACCEPT);
    spw_string(b, name.data, name.length);
    return spt_end(t);
}

/* One of what a client can say here changes what we do; all must be well-formed. */
static int ext_info_received(spt_transport *t, spb_reader *r)
{
    uint32_t count = spr_u32(r);

    if (count > EXTENSIONS_MAX)
        return malformed(t, "EXT_INFO");
    for (uint32_t i = 0; i < count; i++) {
        spb_span name = spr_string(r);
        (void)spr_string(r);
        if (spb_span_is(name, "ext-info-in-auth@openssh.com"))
            t->ext_info_in_auth = true;
    }
    return spr_done(r) ? 0 : malformed(t, "EXT_INFO");
}

int spt_send_ext_info(spt_transport *t)
{
    spb_buffer *b = spt_begin(t, SSH_MSG_EXT_INFO);
    spw_u32(b, 3);
    spw_cstring(b, "server-sig-algs");
    spw_cstring(b, t->config->server_sig_algs);
    spw_cstring(b, "publickey-hostbound@openssh.com");
    spw_cstring(b, "0");
    spw_cstring(b, "ping@openssh.com");
    spw_cstring(b, "0");
    return spt_end(t);
}

int spt_send_user_ext_info(spt_transport *t, const char *list)
{
    if (!t->ext_info_in_auth)
        return 0;
    spb_buffer *b = spt_begin(t, SSH_MSG_EXT_INFO);
    spw_u32(b, 1);
    spw_cstring(b, "server-sig-algs");
    size_t mark = spw_string_begin(b);
    spt_config_write_sig_algs(t->config, list, b);
    spw_string_end(b, mark);
    return spt_end(t);
}

static int ping_received(spt_transport *t, spb_reader *r)
{
    spb_span data = spr_string(r);

    if (!spr_done(r))
        return malformed(t, "PING");
    spb_buffer *b = spt_begin(t, SSH_MSG_PONG);
    spw_string(b, data.data, data.length);
    return spt_end(t);
}

int spt_send_unimplemented(spt_transport *t)
{
    spb_buffer *b = spt_begin(t, SSH_MSG_UNIMPLEMENTED);
    spw_u32(b, t->in.sequence - 1);
    return spt_end(t);
}

int spt_send_debug(spt_transport *t, const char *text, const char *language, bool always_display)
{
    if (t->error != NULL || !t->first_kex_done)
        return SP_ESTATE;
    if (text == NULL || strlen(text) > DEBUG_TEXT_MAX)
        return SP_EINVAL;
    spb_buffer *b = spt_begin(t, SSH_MSG_DEBUG);
    spw_bool(b, always_display);
    spw_cstring(b, text);
    spw_cstring(b, language);
    return spt_end(t);
}

int spt_send_ignore(spt_transport *t, size_t length)
{
    if (t->error != NULL || !t->first_kex_done)
        return SP_ESTATE;
    if (length > 32768)
        return SP_EINVAL;
    spb_buffer *b = spt_begin(t, SSH_MSG_IGNORE);
    size_t mark = spw_string_begin(b);
    uint8_t *room = spb_buffer_reserve(b, length);
    if (room != NULL) {
        if (!spc_random(spt_env(t), room, length))
            memset(room, 0, length);
        b->length += length;
    }
    spw_string_end(b, mark);
    return spt_end(t);
}

int spt_message(spt_transport *t, uint8_t message, spb_reader *r, sp_event *event)
{
    int result;

    t->ext_info_due = false;
    switch (message) {
    case SSH_MSG_DISCONNECT:
        return disconnect_received(t, r);
    case SSH_MSG_IGNORE:
    case SSH_MSG_UNIMPLEMENTED:
    case SSH_MSG_PONG:
        result = 0;
        break;
    case SSH_MSG_DEBUG:
        result = debug_received(t, r, event);
        break;
    case SSH_MSG_SERVICE_REQUEST:
        result = service_received(t, r);
        break;
    case SSH_MSG_EXT_INFO:
        result = ext_info_received(t, r);
        break;
    case SSH_MSG_KEXINIT:
        result = spt_kexinit_received(t, r);
        break;
    case SSH_MSG_KEX_DH_GEX_REQUEST:
        result = spt_gex_request_received(t, r);
        break;
    case SSH_MSG_KEX_ECDH_INIT:
    case SSH_MSG_KEX_DH_GEX_INIT:
        result = spt_kex_init_received(t, r);
        break;
    case SSH_MSG_NEWKEYS:
        result = spr_done(r) ? spt_newkeys_received(t) : malformed(t, "NEWKEYS");
        break;
    case SSH_MSG_PING:
        result = ping_received(t, r);
        break;
    default:
        result = spt_fail(t, SP_EPROTO, SP_DISCONNECT_PROTOCOL_ERROR, "unexpected message %u",
                          (unsigned)message);
        break;
    }
    return result;
}
