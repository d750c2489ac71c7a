/* connection.c: connections come and go. */
#include "contract.h"

#include <stdlib.h>

void on_made(sp_conn *conn)
{
    client *c = calloc(1, sizeof *c);
    event e;
    if (c == NULL)
        abort();
    c->app = sp_server_data(sp_conn_server(conn));
    c->id = sp_conn_id(conn);
    sp_conn_set_data(conn, c);
    if (c->app->quiet)
        return;
    event_begin(&e, "made");
    event_number(&e, "conn", (int64_t)c->id);
    event_end(&e);
}

void on_lost(sp_conn *conn, const sp_conn_error *error)
{
    client *c = sp_conn_data(conn);
    event e;
    if (!c->app->quiet) {
        event_begin(&e, "lost");
        event_number(&e, "conn", (int64_t)c->id);
        event_text(&e, "username", sp_conn_username(conn));
        event_text(&e, "error", error == NULL ? NULL : sp_strerror(error->error));
        event_number(&e, "number", error == NULL ? 0 : error->error);
        event_number(&e, "code", error == NULL ? 0 : error->code);
        event_bool(&e, "from_peer", error != NULL && error->from_peer);
        event_text(&e, "message", error == NULL ? NULL : error->message);
        event_end(&e);
    }
    finish_held(c->app, c, NULL);
    free(c);
}

void on_debug(sp_conn *conn, const char *message, const char *language, bool always_display)
{
    event e;
    event_begin(&e, "debug");
    event_number(&e, "conn", (int64_t)sp_conn_id(conn));
    event_text(&e, "message", message);
    event_text(&e, "language", language);
    event_bool(&e, "always_display", always_display);
    event_end(&e);
}
