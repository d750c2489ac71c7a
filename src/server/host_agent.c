/* Host keys in an ssh-agent (<sallyport/sign.h>): a signing question goes to the agent, whose reply
 * answers it. When the connection ends first, so does the request. */
#include "key/agent_messages.h"
#include "loop/agent.h"
#include "server/sign_question.h"

#define LIST_TIMEOUT_MS 10000u
#define REQUEST_MAX ((size_t)64 * 1024)

typedef struct agent_call {
    spb_link link; /* on the connection */
    spl_agent *agent;
    sp_sign *sign;
} agent_call;

int sp_agent_keys(const char *path, sp_key ***keys, size_t *count)
{
    spb_env env;
    spb_buffer request, reply;

    *keys = NULL;
    *count = 0;
    spb_env_init(&env, NULL);
    spb_buffer_init(&request, &env, REQUEST_MAX);
    spb_buffer_init(&reply, &env, SPL_AGENT_REPLY_MAX);
    spk_agent_list_request(&request);
    int result = spw_ok(&request) ? 0 : SP_ENOMEM;
    if (result == 0)
        result = spl_agent_ask_now(path, (spb_span){request.data, request.length}, LIST_TIMEOUT_MS,
                                   &reply);
    if (result == 0)
        result = spk_agent_read_list((spb_span){reply.data, reply.length}, keys, count);
    spb_buffer_free(&request);
    spb_buffer_free(&reply);
    return result;
}

void sp_agent_keys_free(sp_key **keys, size_t count)
{
    spk_agent_free_list(keys, count);
}

/* Takes the call off its connection and ends the hold on its question. */
static void end(agent_call *call)
{
    sp_sign *sign = call->sign;
    const spb_env *env = spl_queue_env(sign->q.queue);

    spb_list_remove(&call->link);
    spb_free(env, call);
    sps_question_release(&sign->q);
}

static void answered(void *data, spb_span reply, const char *reason)
{
    agent_call *call = data;
    const spb_env *env = spl_queue_env(call->sign->q.queue);
    spb_span signature = {NULL, 0};

    if (reason == NULL) {
        signature = spk_agent_read_signature(reply);
        if (signature.length == 0)
            reason = "it refuses";
    }
    if (reason != NULL)
        spb_log(env, SP_LOG_ERROR, "the agent does not sign: %s", reason);
    else
        (void)sp_sign_answer(call->sign, signature.data, signature.length);
    end(call);
}

void sps_agents_cancel(sp_conn *conn)
{
    while (!spb_list_empty(&conn->agents)) {
        agent_call *call = SPB_CONTAINER(conn->agents.next, agent_call, link);
        spl_agent_cancel(call->agent);
        end(call);
    }
}

static int ask(sp_conn *conn, agent_call *call, const char *path)
{
    const sp_sign *sign = call->sign;
    spb_buffer request;

    spb_buffer_init(&request, sps_conn_env(conn), REQUEST_MAX);
    spk_agent_sign_request(&request, sign->key, sign->algorithm,
                           (spb_span){sign->data, sign->data_length});
    int result = spw_ok(&request) ? 0 : SP_ENOMEM;
    if (result == 0)
        result = spl_agent_ask(&call->agent, conn->server->loop, path,
                               (spb_span){request.data, request.length}, answered, call);
    spb_buffer_free(&request);
    return result;
}

sp_answer sp_agent_sign(sp_sign *sign, const char *path)
{
    sp_conn *conn = sign->q.conn;
    bool in_handler = atomic_load(&sign->q.in_handler);
    agent_call *call = conn == NULL ? NULL : spb_calloc(sps_conn_env(conn), 1, sizeof *call);

    if (call != NULL) {
        call->sign = sign;
        if (ask(conn, call, path) == 0) {
            spb_list_append(&conn->agents, &call->link);
            return SP_LATER;
        }
        spb_free(sps_conn_env(conn), call);
    }
    /* Within its handler, the handler's return value refuses and ends the hold. */
    if (!in_handler)
        sps_question_release(&sign->q);
    return SP_REJECT;
}
