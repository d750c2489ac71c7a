/* plan.h: what a session's request leads to: a process, files served here, or a refusal. */
#ifndef SALLYPORTD_PLAN_H
#define SALLYPORTD_PLAN_H

#include "options.h"

typedef enum session_action {
    SESSION_NO_SUBSYSTEM = 0, /* there is none of that name */
    SESSION_PROCESS,          /* `command`, or a login shell */
    SESSION_SFTP,             /* `command` is internal-sftp with its flags */
    SESSION_SCP,              /* `command` is the client's */
    SESSION_NOT_SFTP,         /* internal-sftp is forced on what is no subsystem */
    SESSION_NOT_FILES,        /* there is a ChrootDirectory, which a process would not keep to */
} session_action;

typedef struct session_plan {
    session_action action;
    const char *command;
    const char *original; /* what a forced command stands for; NULL: a shell, or none is forced */
} session_plan;

/* `type` and `text`: the request as the library has it: SP_REQUEST_SHELL, _EXEC with a command, or
 * _SUBSYSTEM with a name. The texts are the channel's, or of the settings. */
session_plan session_plan_make(const options *o, const sp_channel *channel, sp_request_type type,
                               const char *text);
/* The same for a request that was accepted. */
session_plan session_plan_of(const options *o, const sp_channel *channel);

#endif
