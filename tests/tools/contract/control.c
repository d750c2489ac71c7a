/* control.c: orders on standard input, one in a line. */
#include "contract.h"

#include "../server_events.h"

#include <stdlib.h>

typedef struct order {
    app *app;
    char text[256];
} order;

static void each_conn(sp_conn *conn, void *data)
{
    const order *o = data;
    if (strncmp(o->text, "rekey", 5) == 0)
        sp_conn_rekey(conn);
    else if (strncmp(o->text, "debug ", 6) == 0)
        sp_conn_send_debug(conn, o->text + 6, "en", false);
    else if (strncmp(o->text, "disconnect", 10) == 0)
        sp_conn_disconnect(conn, SP_DISCONNECT_BY_APPLICATION, "ordered");
}

/* control: stop, close, drain MS, answer, resume, stats, rekey, debug TEXT, disconnect. */
static void obey(void *data)
{
    order *o = data;
    app *a = o->app;
    unsigned milliseconds = 0;
    event e;
    if (strcmp(o->text, "stop") == 0) {
        sp_server_stop(a->server);
    } else if (strcmp(o->text, "close") == 0) {
        sp_server_close(a->server);
    } else if (sscanf(o->text, "drain %u", &milliseconds) == 1) {
        sp_server_drain(a->server, milliseconds);
    } else if (strcmp(o->text, "answer") == 0) {
        finish_held(a, NULL, NULL);
    } else if (strcmp(o->text, "resume") == 0) {
        while (a->late != NULL) {
            session *s = a->late;
            a->late = s->next_late;
            s->reading_paused = false;
            sp_channel_resume_reading(s->channel);
        }
    } else if (strcmp(o->text, "stats") == 0) {
        tell_statistics(a->server);
    } else {
        sp_server_each_conn(a->server, each_conn, o);
    }
    event_begin(&e, "obeyed");
    event_text(&e, "order", o->text);
    event_end(&e);
    free(o);
}

void *control_thread(void *data)
{
    app *a = data;
    char line[200];
    while (fgets(line, sizeof line, stdin) != NULL) {
        order *o = calloc(1, sizeof *o);
        if (o == NULL)
            break;
        line[strcspn(line, "\n")] = '\0';
        o->app = a;
        snprintf(o->text, sizeof o->text, "%s", line);
        if (sp_server_post(a->server, obey, o) < 0) {
            free(o);
            return NULL;
        }
    }
    sp_server_stop(a->server);
    return NULL;
}
