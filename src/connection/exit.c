/* What a server says about a session besides its data: exit-status and exit-signal (RFC 4254 6.10),
 * xon-xoff (6.8), and eow@openssh.com (OpenSSH PROTOCOL 2.1). None of them wants a reply. */
#include "connection/connection_internal.h"

#include <string.h>

static spb_buffer *begin_request(spn_channel *ch, const char *name)
{
    spb_buffer *b = spt_begin(ch->c->transport, SSH_MSG_CHANNEL_REQUEST);
    spw_u32(b, ch->peer_number);
    spw_cstring(b, name);
    spw_bool(b, false);
    return b;
}

int spn_send_exit(spn_channel *ch)
{
    spn_connection *c = ch->c;
    if (ch->exit_body == NULL)
        return 0;
    spb_buffer *b = spt_begin(c->transport, SSH_MSG_CHANNEL_REQUEST);
    spw_u32(b, ch->peer_number);
    spw_bytes(b, ch->exit_body, ch->exit_length);
    spb_free(c->env, ch->exit_body);
    ch->exit_body = NULL;
    return spt_end(c->transport);
}

/* Keeps the encoded request for when the data is out, and closes. Takes over the body's memory. */
static int exit_with(spn_channel *ch, spb_buffer *body)
{
    if (!spw_ok(body)) {
        spb_buffer_free(body);
        return spn_no_memory(ch->c);
    }
    ch->exit_body = body->data;
    ch->exit_length = body->length;
    return spn_close_channel(ch->c, ch->number);
}

static int find_session(const spn_connection *c, uint32_t channel, spn_channel **ch)
{
    int result = spn_find_open(c, channel, ch);
    if (result == 0 && !(*ch)->type->session)
        return SP_EINVAL;
    return result;
}

int spn_exit(spn_connection *c, uint32_t channel, uint32_t status)
{
    spn_channel *ch;
    int result = find_session(c, channel, &ch);
    if (result != 0)
        return result;
    spb_buffer body;
    spb_buffer_init(&body, c->env, 64);
    spw_cstring(&body, "exit-status");
    spw_bool(&body, false);
    spw_u32(&body, status);
    return exit_with(ch, &body);
}

#define EXIT_TEXT_MAX 16384u /* what we say stays within a packet */

int spn_exit_with_signal(spn_connection *c, uint32_t channel, const char *name, bool core_dumped,
                         const char *message, const char *language)
{
    spn_channel *ch;
    int result = find_session(c, channel, &ch);
    if (result != 0)
        return result;
    size_t length = message == NULL ? 0 : strlen(message);
    if (name == NULL || name[0] == '\0' || strlen(name) > 64 ||
        (language != NULL && strlen(language) > 64))
        return SP_EINVAL;
    spb_buffer body;
    spb_buffer_init(&body, c->env, EXIT_TEXT_MAX + 256);
    spw_cstring(&body, "exit-signal");
    spw_bool(&body, false);
    spw_cstring(&body, name);
    spw_bool(&body, core_dumped);
    spw_string(&body, message == NULL ? "" : message,
               length < EXIT_TEXT_MAX ? length : EXIT_TEXT_MAX);
    spw_cstring(&body, language);
    return exit_with(ch, &body);
}

int spn_set_xon_xoff(spn_connection *c, uint32_t channel, bool client_can_do)
{
    spn_channel *ch;
    int result = find_session(c, channel, &ch);
    if (result != 0)
        return result;
    spw_bool(begin_request(ch, "xon-xoff"), client_can_do);
    return spt_end(c->transport);
}

int spn_send_eow(spn_connection *c, uint32_t channel)
{
    spn_channel *ch;
    int result = spn_find_open(c, channel, &ch);
    if (result != 0)
        return result;
    if (ch->eow_sent)
        return SP_EALREADY;
    ch->eow_sent = true;
    if (ch->input != SPN_INPUT_FLOWS)
        return 0; /* the client sends no more anyway */
    begin_request(ch, "eow@openssh.com");
    return spt_end(c->transport);
}
