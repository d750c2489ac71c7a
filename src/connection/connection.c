/* The connection protocol's object and its front door for messages (RFC 4254): one switch names
 * every message that is taken, and finds the channel that it is for. A message for a channel that
 * the peer cannot know, or has closed, ends the connection. */
#include "connection/connection_internal.h"

#include <string.h>

int spn_new(spn_connection **out, spt_transport *transport)
{
    const spb_env *env = spt_env(transport);
    spn_connection *c = spb_calloc(env, 1, sizeof *c);
    *out = c;
    if (c == NULL)
        return SP_ENOMEM;
    c->transport = transport;
    c->env = env;
    c->pool = spt_pool(transport);
    c->options = &spt_config(transport)->options;
    spb_list_init(&c->ready);
    spb_list_init(&c->sending);
    spb_list_init(&c->globals);
    return 0;
}

void spn_free(spn_connection *c)
{
    if (c == NULL)
        return;
    for (uint32_t i = 0; i < c->table_size; i++)
        if (c->table[i] != NULL)
            spn_channel_remove(c->table[i]);
    spn_globals_drop(c);
    spn_settle(c);
    spk_permissions_unref(c->permissions);
    spb_free(c->env, c->table);
    spb_free(c->env, c);
}

void spn_node_free(spn_connection *c, void *object)
{
    spn_node *node = object;
    if (node != NULL && node->pooled)
        spb_pool_give_chunk(c->pool, node);
    else if (node != NULL)
        spb_free_secret(c->env, node, node->secret);
}

void spn_trash(spn_connection *c, void *object)
{
    spn_node *node = object;
    node->next = c->trash;
    c->trash = node;
}

void spn_settle(spn_connection *c)
{
    while (c->trash != NULL) {
        spn_node *node = c->trash;
        c->trash = node->next;
        spn_node_free(c, node);
    }
}

int spn_no_memory(spn_connection *c)
{
    return spt_fail(c->transport, SP_ENOMEM, SP_DISCONNECT_BY_APPLICATION, "Out of memory");
}

void spn_release(spn_connection *c)
{
    c->released = true;
    for (uint32_t i = 0; i < c->table_size; i++)
        if (c->table[i] != NULL)
            spn_ready(c->table[i]);
}

size_t spn_channel_count(const spn_connection *c)
{
    return c->count;
}

/* The peer names a channel by the number that our confirmation (or our open) told it, until it
 * sends CLOSE. Before it has confirmed ours, it can do just that, or refuse. */
static spn_channel *named_channel(spn_connection *c, uint8_t message, spb_reader *r)
{
    uint32_t number = spr_u32(r);
    spn_channel *ch = spr_ok(r) ? spn_find(c, number) : NULL;
    bool answer =
        message == SSH_MSG_CHANNEL_OPEN_CONFIRMATION || message == SSH_MSG_CHANNEL_OPEN_FAILURE;
    if (ch == NULL)
        return NULL;
    switch (ch->state) {
    case SPN_ASKED:
        return answer && ch->open_body == NULL ? ch : NULL;
    case SPN_OPEN:
    case SPN_CLOSING:
    case SPN_CLOSE_SENT:
        return answer ? NULL : ch;
    case SPN_OPENING:
    case SPN_CLOSED:
    case SPN_REFUSED:
        break;
    }
    return NULL;
}

static int channel_message(spn_channel *ch, uint8_t message, spb_reader *r, sp_event *event)
{
    switch (message) {
    case SSH_MSG_CHANNEL_OPEN_CONFIRMATION:
        return spn_on_confirmation(ch, r);
    case SSH_MSG_CHANNEL_OPEN_FAILURE:
        return spn_on_failure(ch, r);
    case SSH_MSG_CHANNEL_WINDOW_ADJUST:
        return spn_on_adjust(ch, r);
    case SSH_MSG_CHANNEL_DATA:
        return spn_on_data(ch, r, false, event);
    case SSH_MSG_CHANNEL_EXTENDED_DATA:
        return spn_on_data(ch, r, true, event);
    case SSH_MSG_CHANNEL_EOF:
        return spn_on_eof(ch, r);
    case SSH_MSG_CHANNEL_CLOSE:
        return spn_on_close(ch, r);
    case SSH_MSG_CHANNEL_REQUEST:
        return spn_on_request(ch, r);
    default:
        /* SUCCESS and FAILURE: no request of ours wants a reply. */
        return spn_bad(ch->c, "Message %d answers nothing that was asked", message);
    }
}

int spn_message(spn_connection *c, uint8_t message, spb_reader *r, sp_event *event)
{
    spn_settle(c);
    if (c->lost || spt_failed(c->transport))
        return SP_ECONN;
    switch (message) {
    case SSH_MSG_GLOBAL_REQUEST:
        return spn_on_global_request(c, r);
    case SSH_MSG_REQUEST_SUCCESS:
    case SSH_MSG_REQUEST_FAILURE:
        return spn_on_global_reply(c);
    case SSH_MSG_CHANNEL_OPEN:
        return spn_on_open(c, r);
    default:
        break;
    }
    if (message < SSH_MSG_CHANNEL_OPEN_CONFIRMATION || message > SSH_MSG_CHANNEL_FAILURE)
        return spn_bad(c, "Message %d is not of the connection protocol", message);
    spn_channel *ch = named_channel(c, message, r);
    if (ch == NULL)
        return spn_bad(c, "Message %d for a channel that is not there to take it", message);
    return channel_message(ch, message, r, event);
}

void spn_connection_lost(spn_connection *c, const sp_conn_error *error)
{
    if (c->lost)
        return;
    c->lost = true;
    spn_globals_lost(c);
    for (uint32_t i = 0; i < c->table_size; i++) {
        spn_channel *ch = c->table[i];
        if (ch == NULL || ch->state == SPN_CLOSED || ch->state == SPN_REFUSED)
            continue; /* it ended before; its last events are still due */
        spn_silence(ch);
        if (ch->state == SPN_OPENING && ch->canceled == 0) {
            spn_channel_remove(ch); /* the last one takes the table, and its size, with it */
            continue;
        }
        if (ch->state != SPN_OPENING)
            ch->state = SPN_CLOSED;
        ch->error = error;
        spn_ready(ch);
    }
}
