/* The pauses of bulk transfers (pace.h). All connections of a loop that rest share one timer: it
 * runs from the first one's rest, so that the others rest a little less. */
#include "server/server.h"

static void over(void *data)
{
    sp_server *server = data;
    spb_link rested; /* each may rest again at once, and may end others */
    spb_list_init(&rested);
    while (!spb_list_empty(&server->resting)) {
        spb_link *link = server->resting.next;
        spb_list_remove(link);
        spb_list_append(&rested, link);
    }
    while (!spb_list_empty(&rested)) {
        sp_conn *conn = SPB_CONTAINER(rested.next, sp_conn, rest);
        spb_list_remove(&conn->rest);
        sps_conn_read(conn);
    }
}

bool sps_rests(const sp_conn *conn)
{
    return spb_list_linked(&conn->rest);
}

void sps_rest(sp_conn *conn, uint32_t microseconds)
{
    sp_server *server = conn->server;
    if (microseconds == 0 || server->restless || sps_rests(conn))
        return;
    if (server->rest_timer == NULL &&
        spl_fine_timer_new(&server->rest_timer, server->loop, over, server) != 0) {
        server->restless = true; /* it is read as it comes */
        return;
    }
    if (spb_list_empty(&server->resting) &&
        spl_fine_timer_start(server->rest_timer, microseconds) != 0)
        return;
    spb_list_append(&server->resting, &conn->rest);
}

void sps_rests_end(sp_server *server)
{
    while (!spb_list_empty(&server->resting))
        spb_list_remove(server->resting.next);
    spl_fine_timer_close(server->rest_timer);
    server->rest_timer = NULL;
    server->restless = true;
}
