/* The life of scp's far end: input, output, one step after the other, the end. */
#include "scp/server.h"

#include <stdio.h>
#include <string.h>

#define DEPTH 64u
#define DEPTH_MAX 1000u
#define MATCHES 10000u

static const uint8_t zeros[16 * 1024];

/* ---- life ---- */

static int read_options(sp_scp_options *o, const sp_scp_options *given)
{
    memset(o, 0, sizeof *o);
    if (given != NULL) {
        if (given->size < sizeof given->size)
            return SP_EINVAL;
        memcpy(o, given, given->size < sizeof *o ? given->size : sizeof *o);
    }
    o->max_depth = o->max_depth != 0 ? o->max_depth : DEPTH;
    o->max_matches = o->max_matches != 0 ? o->max_matches : MATCHES;
    return o->max_depth <= DEPTH_MAX ? 0 : SP_EINVAL;
}

/* What this session may not do at all, before the file system was asked for anything. */
static const char *refusal_of(const spp_server *server, const sp_fs *fs)
{
    if (server->command.sink && (server->options.read_only || fs->options.read_only))
        return "files can't be sent here";
    if (!server->command.sink && server->options.write_only)
        return "files can't be fetched here";
    return NULL;
}

/* False: memory is out. A command that is not understood is a refusal. */
static bool read_command(spp_server *server, const char *text, const sp_fs *fs)
{
    if (!spp_command_parse(&server->command, server->env, text, server->reason)) {
        server->refusal = server->reason;
        return server->reason[0] != '\0';
    }
    server->refusal = refusal_of(server, fs);
    if (!server->command.recursive)
        server->options.max_depth = 0;
    server->frames =
        spb_calloc(server->env, (size_t)server->options.max_depth + 1, sizeof *server->frames);
    return server->frames != NULL;
}

static void on_begun(spp_server *server, const spd_answer *answer)
{
    if (answer->status != SP_FS_OK)
        spp_give_up(server, NULL, spp_text_of(answer));
    else if (server->command.sink)
        spp_sink_begin(server);
    else
        spp_source_begin(server);
}

/* The first step. */
static bool begin(spp_server *server)
{
    if (server->refusal != NULL) {
        spp_give_up(server, NULL, server->refusal);
        return true;
    }
    server->begun = spp_ask_path(server, SP_FS_OP_BEGIN, NULL, on_begun);
    return true;
}

int spp_server_new(spp_server **out, sp_fs *fs, spl_loop *loop, struct sp_conn *conn,
                   const char *username, const char *command, const sp_scp_options *given,
                   void (*moved)(void *owner), void *owner)
{
    sp_scp_options options;
    *out = NULL;
    if (fs == NULL || command == NULL || !spp_is_command(command) ||
        read_options(&options, given) != 0)
        return SP_EINVAL;
    sp_fs_session *session = spd_session_new(fs, loop, conn, username);
    if (session == NULL)
        return SP_ENOMEM;
    spp_server *server = spb_calloc(spd_session_env(session), 1, sizeof *server);
    if (server == NULL) {
        spd_session_end(session, false);
        return SP_ENOMEM;
    }
    server->queue = spl_queue_ref(session->queue);
    server->env = spl_queue_env(server->queue);
    server->loop = loop;
    server->session = session;
    server->options = options;
    server->moved = moved;
    server->owner = owner;
    server->turn = begin;
    spb_buffer_init(&server->in, server->env, SPP_INPUT_MAX);
    spb_buffer_init(&server->out, server->env, SPP_OUTPUT_MAX);
    if (!read_command(server, command, fs)) {
        spp_server_free(server);
        return SP_ENOMEM;
    }
    *out = server;
    return 0;
}

void spp_server_free(spp_server *server)
{
    spl_queue *queue = server->queue;
    if (server->session != NULL)
        spd_session_end(server->session, false);
    spp_request_free(server->sending);
    spp_source_free(server);
    spp_command_free(&server->command, server->env);
    spb_free(server->env, server->file.path);
    spb_free(server->env, server->home);
    spb_free(server->env, server->frames);
    spb_buffer_free(&server->in);
    spb_buffer_free(&server->out);
    spb_free(server->env, server);
    spl_queue_unref(queue);
}

/* ---- the end ---- */

static void drop_input(spp_server *server)
{
    server->over = true;
    server->in_at = 0;
    spb_buffer_free(&server->in);
}

static void drop_sending(spp_server *server)
{
    spp_request_free(server->sending);
    server->sending = NULL;
    server->padding = 0;
}

void spp_stop(spp_server *server)
{
    if (server->stopping)
        return;
    server->stopping = true;
    drop_input(server);
    drop_sending(server);
}

void spp_stop_for_memory(spp_server *server)
{
    server->failed = true;
    spp_stop(server);
}

/* No request is open: the next step of the end. */
static bool end(spp_server *server)
{
    spp_handle *open = spp_any_open(server);
    if (server->ended)
        return false;
    if (open != NULL) {
        spp_ask_close(server, open, NULL);
        return true;
    }
    server->ended = true;
    spd_session_end(server->session, server->begun);
    server->session = NULL;
    return false;
}

void spp_lost(spp_server *server)
{
    server->lost = true;
    if (!server->ended) {
        server->session->conn = NULL;
        atomic_store(&server->session->gone, true);
    }
    if (!server->stopping)
        server->failed = true;
    spp_stop(server);
    drop_sending(server);
    spb_buffer_free(&server->out);
    spp_run(server);
}

uint32_t spp_exit_status(const spp_server *server)
{
    return server->failed ? 1 : 0;
}

/* ---- running ---- */

static bool answer(spp_server *server)
{
    spp_request *request = server->request;
    if (!request->answered)
        return false;
    if (request->base.q.op == SP_FS_OP_READ && server->sending != NULL)
        return false; /* until there is room for it */
    server->request = NULL;
    spp_settle(server, request);
    server->answered = request;
    if (!server->stopping && server->then != NULL)
        server->then(server, &request->base.answer);
    if (server->answered != NULL)
        spp_request_free(request);
    server->answered = NULL;
    return true;
}

static bool step(spp_server *server)
{
    if (server->request != NULL)
        return answer(server);
    if (server->stopping)
        return end(server);
    if (server->out.length >= SPP_OUTPUT_HIGH)
        return false;
    return server->turn(server);
}

void spp_run(spp_server *server)
{
    if (server->running)
        return;
    server->running = true;
    while (step(server))
        ;
    if (!spw_ok(&server->out))
        spp_stop_for_memory(server);
    while (server->stopping && step(server))
        ;
    server->running = false;
}

/* ---- input ---- */

size_t spp_input_length(const spp_server *server)
{
    return server->in.length - server->in_at;
}

void spp_receive(spp_server *server, const uint8_t *bytes, size_t length)
{
    if (server->over)
        return;
    if (server->in_at != 0 && server->in_at >= server->in.length / 2) {
        spb_buffer_consume(&server->in, server->in_at);
        server->in_at = 0;
    }
    spw_bytes(&server->in, bytes, length);
    if (!spw_ok(&server->in))
        spp_stop_for_memory(server);
    spp_run(server);
}

bool spp_wants_input(const spp_server *server)
{
    return !server->over && spp_input_length(server) < SPP_INPUT_HIGH;
}

void spp_end_of_input(spp_server *server)
{
    server->over = true;
    spp_run(server);
}

bool spp_take_line(spp_server *server, spb_span *line)
{
    size_t length = spp_input_length(server);
    size_t looked_at = length < SPP_LINE_MAX ? length : SPP_LINE_MAX;
    if (length == 0)
        return false;
    const uint8_t *start = server->in.data + server->in_at;
    const uint8_t *end = memchr(start, '\n', looked_at);
    if (end == NULL) {
        if (looked_at == SPP_LINE_MAX)
            spp_give_up(server, NULL, "protocol error: the line is too long");
        return false;
    }
    *line = (spb_span){start, (size_t)(end - start)};
    server->in_at += line->length + 1;
    return true;
}

spp_taken spp_take_status(spp_server *server)
{
    spb_span line;
    if (spp_input_length(server) == 0)
        return SPP_TAKE_MORE;
    uint8_t status = server->in.data[server->in_at];
    if (status == SPP_OK) {
        server->in_at++;
        return SPP_TAKE_OK;
    }
    if (status != SPP_WARNING && status != SPP_FATAL)
        return SPP_TAKE_FATAL;
    if (!spp_take_line(server, &line))
        return SPP_TAKE_MORE;
    return status == SPP_WARNING ? SPP_TAKE_WARNING : SPP_TAKE_FATAL;
}

/* ---- output ---- */

spb_span spp_output(const spp_server *server)
{
    const spp_request *sending = server->sending;
    if (server->out.length != 0)
        return (spb_span){server->out.data, server->out.length};
    if (sending != NULL)
        return (spb_span){(const uint8_t *)sending->base.q.buffer + sending->sent,
                          sending->base.answer.u.length - sending->sent};
    return (spb_span){zeros,
                      server->padding < sizeof zeros ? (size_t)server->padding : sizeof zeros};
}

void spp_consumed(spp_server *server, size_t length)
{
    spp_request *sending = server->sending;
    if (server->out.length != 0) {
        spb_buffer_consume(&server->out, length);
    } else if (sending != NULL) {
        sending->sent += length;
        if (sending->sent == sending->base.answer.u.length) {
            server->sending = NULL;
            spp_request_free(sending);
        }
    } else {
        server->padding -= length;
    }
}

void spp_put_ok(spp_server *server)
{
    spw_u8(&server->out, SPP_OK);
}

void spp_complain(spp_server *server, const char *path, const char *text)
{
    server->failed = true;
    spp_put_message(&server->out, SPP_WARNING, path, text);
}

void spp_complain_of(spp_server *server, const char *path, const spd_answer *answer)
{
    spp_complain(server, path, spp_text_of(answer));
}

void spp_give_up(spp_server *server, const char *path, const char *text)
{
    server->failed = true;
    spp_put_message(&server->out, SPP_FATAL, path, text);
    spp_stop(server);
}

const char *spp_text_of(const spd_answer *answer)
{
    if (answer->status == SP_FS_NO_SUCH_FILE)
        return "No such file or directory";
    if (answer->text != NULL && answer->form == SPD_STATUS)
        return answer->text;
    return spd_status_text(answer->status != SP_FS_OK ? answer->status : SP_FS_FAILURE);
}
