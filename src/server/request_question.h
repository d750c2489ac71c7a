/* What a channel request's question holds: copies of what the client asked. */
#ifndef SPS_REQUEST_QUESTION_H
#define SPS_REQUEST_QUESTION_H

#include "server/question.h"

struct sp_request {
    sps_question q;
    sp_request_type type;
    bool accepted;    /* the answer */
    const char *text; /* these live behind the struct */
    const char *value;
    sp_term_size size;
    sp_term_modes modes;
    uint32_t screen; /* X11 */
    bool single_connection;
};

/* NULL when out of memory. */
sp_request *sps_request_new(sp_conn *conn, const sp_event *event);

#endif
