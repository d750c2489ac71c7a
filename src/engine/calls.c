/* What the application asks of an engine: answers, routed by the tag in the question's top byte,
 * and calls on the connection and its channels. */
#include "engine/engine_internal.h"
#include <string.h>

#define TAG_AUTH 1u
#define TAG_CONNECTION 2u
#define TAG_TRANSPORT 3u

static unsigned tag_of(uint64_t question)
{
    return (unsigned)(question >> 56);
}

static bool over(const sp_engine *e)
{
    return spt_failed(e->transport);
}

int sp_engine_answer_sign(sp_engine *e, uint64_t question, const uint8_t *signature, size_t length)
{
    if (tag_of(question) == TAG_CONNECTION)
        return over(e) || e->connection == NULL
                   ? SP_ECONN
                   : spn_answer_sign(e->connection, question, signature, length);
    if (tag_of(question) != TAG_TRANSPORT)
        return SP_EINVAL;
    return spt_answer_sign(e->transport, question, signature, length);
}

int sp_engine_answer_computation(sp_engine *e, uint64_t question)
{
    return tag_of(question) != TAG_TRANSPORT ? SP_EINVAL
                                             : spt_answer_computation(e->transport, question);
}

int sp_engine_answer_auth(sp_engine *e, uint64_t question, const sp_auth_reply *reply)
{
    if (tag_of(question) != TAG_AUTH || reply == NULL)
        return SP_EINVAL;
    return over(e) || e->auth == NULL ? SP_ECONN : spa_answer(e->auth, question, reply);
}

int sp_engine_answer_methods(sp_engine *e, uint64_t question, unsigned methods)
{
    if (tag_of(question) != TAG_AUTH)
        return SP_EINVAL;
    return over(e) || e->auth == NULL ? SP_ECONN : spa_answer_methods(e->auth, question, methods);
}

int sp_engine_accept_open(sp_engine *e, uint64_t question, const sp_channel_options *options)
{
    if (tag_of(question) != TAG_CONNECTION)
        return SP_EINVAL;
    return over(e) || e->connection == NULL ? SP_ECONN
                                            : spn_accept_open(e->connection, question, options);
}

int sp_engine_refuse_open(sp_engine *e, uint64_t question, uint32_t code, const char *text)
{
    if (tag_of(question) != TAG_CONNECTION)
        return SP_EINVAL;
    return over(e) || e->connection == NULL ? SP_ECONN
                                            : spn_refuse_open(e->connection, question, code, text);
}

int sp_engine_answer_request(sp_engine *e, uint64_t question, bool accepted)
{
    if (tag_of(question) != TAG_CONNECTION)
        return SP_EINVAL;
    return over(e) || e->connection == NULL ? SP_ECONN
                                            : spn_answer_request(e->connection, question, accepted);
}

int sp_engine_answer_global(sp_engine *e, uint64_t question, const sp_global_reply *reply)
{
    if (tag_of(question) != TAG_CONNECTION)
        return SP_EINVAL;
    return over(e) || e->connection == NULL ? SP_ECONN
                                            : spn_answer_global(e->connection, question, reply);
}

/* ---- connection ---- */

int sp_engine_send_banner(sp_engine *e, const char *text, const char *language)
{
    if (over(e))
        return SP_ECONN;
    return e->auth == NULL ? SP_ESTATE : spa_send_banner(e->auth, text, language);
}

int sp_engine_send_debug(sp_engine *e, const char *text, const char *language, bool always_display)
{
    return over(e) ? SP_ECONN : spt_send_debug(e->transport, text, language, always_display);
}

int sp_engine_send_ignore(sp_engine *e, size_t length)
{
    return over(e) ? SP_ECONN : spt_send_ignore(e->transport, length);
}

int sp_engine_disconnect(sp_engine *e, uint32_t code, const char *text)
{
    if (over(e))
        return SP_ECONN;
    if (code == 0)
        return SP_EINVAL;
    e->closed_by_us = true;
    (void)spt_fail(e->transport, SP_ECLOSED, code, "%s", text == NULL ? "" : text);
    return 0;
}

int sp_engine_rekey(sp_engine *e)
{
    return over(e) ? SP_ECONN : spt_rekey(e->transport);
}

int sp_engine_set_limits(sp_engine *e, const sp_limits *limits)
{
    sp_limits set = {.size = 0};

    if (over(e))
        return SP_ECONN;
    if (limits == NULL || limits->size == 0)
        return SP_EINVAL;
    memcpy(&set, limits, limits->size < sizeof set ? limits->size : sizeof set);
    return spt_set_limits(e->transport, &set);
}

const char *sp_engine_username(const sp_engine *e)
{
    return e->auth == NULL ? NULL : spa_username(e->auth);
}

bool sp_engine_authenticated(const sp_engine *e)
{
    return e->auth != NULL && spa_succeeded(e->auth);
}

unsigned sp_engine_methods_done(const sp_engine *e)
{
    return e->auth == NULL ? 0 : spa_methods_done(e->auth);
}

const char *sp_engine_peer_version(const sp_engine *e)
{
    return spt_peer_version(e->transport);
}

const char *sp_engine_version(const sp_engine *e)
{
    return e->config->version;
}

int sp_engine_algorithms(const sp_engine *e, sp_algorithms *out)
{
    return spt_algorithms(e->transport, out);
}

const uint8_t *sp_engine_session_id(const sp_engine *e, size_t *length)
{
    spb_span id = spt_session_id(e->transport);
    *length = id.length;
    return id.data;
}

/* ---- channels ---- */

/* The connection protocol while it may be used, else NULL. */
static spn_connection *channels(const sp_engine *e)
{
    return over(e) ? NULL : e->connection;
}

int sp_engine_open_channel(sp_engine *e, const sp_open_request *what,
                           const sp_channel_options *options, uint32_t *channel)
{
    if (over(e))
        return SP_ECONN;
    return e->connection == NULL ? SP_ESTATE
                                 : spn_open_channel(e->connection, what, options, channel);
}

size_t sp_engine_channel_count(const sp_engine *e)
{
    return e->connection == NULL ? 0 : spn_channel_count(e->connection);
}

ptrdiff_t sp_engine_write(sp_engine *e, uint32_t channel, uint32_t type, const void *bytes,
                          size_t length)
{
    spn_connection *c = channels(e);
    return c == NULL ? SP_ECONN : spn_write(c, channel, type, bytes, length);
}

int sp_engine_write_eof(sp_engine *e, uint32_t channel)
{
    spn_connection *c = channels(e);
    return c == NULL ? SP_ECONN : spn_write_eof(c, channel);
}

size_t sp_engine_write_buffered(const sp_engine *e, uint32_t channel)
{
    const spn_connection *c = channels(e);
    return c == NULL ? 0 : spn_write_buffered(c, channel);
}

int sp_engine_deliver_all(sp_engine *e, uint32_t channel)
{
    spn_connection *c = channels(e);
    return c == NULL ? SP_ECONN : spn_deliver_all(c, channel);
}

int sp_engine_pause_reading(sp_engine *e, uint32_t channel)
{
    spn_connection *c = channels(e);
    return c == NULL ? SP_ECONN : spn_pause_reading(c, channel);
}

int sp_engine_resume_reading(sp_engine *e, uint32_t channel)
{
    spn_connection *c = channels(e);
    return c == NULL ? SP_ECONN : spn_resume_reading(c, channel);
}

int sp_engine_exit(sp_engine *e, uint32_t channel, uint32_t status)
{
    spn_connection *c = channels(e);
    return c == NULL ? SP_ECONN : spn_exit(c, channel, status);
}

int sp_engine_exit_with_signal(sp_engine *e, uint32_t channel, const char *name, bool core_dumped,
                               const char *message, const char *language)
{
    spn_connection *c = channels(e);
    return c == NULL ? SP_ECONN
                     : spn_exit_with_signal(c, channel, name, core_dumped, message, language);
}

int sp_engine_set_xon_xoff(sp_engine *e, uint32_t channel, bool client_can_do)
{
    spn_connection *c = channels(e);
    return c == NULL ? SP_ECONN : spn_set_xon_xoff(c, channel, client_can_do);
}

int sp_engine_send_eow(sp_engine *e, uint32_t channel)
{
    spn_connection *c = channels(e);
    return c == NULL ? SP_ECONN : spn_send_eow(c, channel);
}

int sp_engine_close_channel(sp_engine *e, uint32_t channel)
{
    spn_connection *c = channels(e);
    return c == NULL ? SP_ECONN : spn_close_channel(c, channel);
}

int sp_engine_abort_channel(sp_engine *e, uint32_t channel)
{
    spn_connection *c = channels(e);
    return c == NULL ? SP_ECONN : spn_abort_channel(c, channel);
}
