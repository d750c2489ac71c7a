/* plan.c: the rules of sshd for forced commands and internal-sftp, and ours for scp and
 * ChrootDirectory. */
#include "plan.h"

#include "sftpflags.h"

/* What the client itself asked for. A key's command has made an exec of it. */
typedef struct client_wish {
    sp_request_type type;
    const char *text;
    const char *command; /* of a subsystem: its own; NULL: a shell */
} client_wish;

static client_wish wish_of(const options *o, const sp_channel *channel, sp_request_type type,
                           const char *text)
{
    sp_request_type original = sp_channel_get_original_request(channel);
    client_wish wish = {type, text, NULL};

    if (original != 0)
        wish = (client_wish){original, sp_channel_get_original_command(channel), NULL};
    if (wish.type == SP_REQUEST_EXEC)
        wish.command = wish.text;
    else if (wish.type == SP_REQUEST_SUBSYSTEM && wish.text != NULL)
        wish.command = options_subsystem(o, wish.text);
    return wish;
}

/* ForceCommand comes before a key's or certificate's. */
static const char *forced_command(const options *o, const sp_channel *channel, const char *text)
{
    if (o->force_command != NULL)
        return o->force_command;
    return sp_channel_get_original_request(channel) != 0 ? text : NULL;
}

/* On a terminal it is a program's business. */
static bool serves_scp(const options *o, const sp_channel *channel, const client_wish *wish)
{
    return o->internal_scp && wish->type == SP_REQUEST_EXEC && sp_scp_command(wish->text) &&
           sp_channel_get_terminal_type(channel) == NULL;
}

static session_action action_of(const options *o, const sp_channel *channel,
                                const client_wish *wish, const char *forced, const char *command)
{
    bool of_subsystem = wish->type == SP_REQUEST_SUBSYSTEM;

    if (of_subsystem && wish->command == NULL)
        return SESSION_NO_SUBSYSTEM;
    /* A client that runs a program of that name gets no more than the program. */
    if (command != NULL && (forced != NULL || of_subsystem) && is_internal_sftp(command))
        return of_subsystem ? SESSION_SFTP : SESSION_NOT_SFTP;
    if (forced == NULL && serves_scp(o, channel, wish))
        return SESSION_SCP;
    return o->chroot_directory != NULL ? SESSION_NOT_FILES : SESSION_PROCESS;
}

session_plan session_plan_make(const options *o, const sp_channel *channel, sp_request_type type,
                               const char *text)
{
    const client_wish wish = wish_of(o, channel, type, text);
    const char *forced = forced_command(o, channel, text);
    const char *command = forced != NULL ? forced : wish.command;

    return (session_plan){action_of(o, channel, &wish, forced, command), command,
                          forced != NULL ? wish.command : NULL};
}

session_plan session_plan_of(const options *o, const sp_channel *channel)
{
    const char *name = sp_channel_get_subsystem(channel);
    const char *command = sp_channel_get_command(channel);

    if (name != NULL)
        return session_plan_make(o, channel, SP_REQUEST_SUBSYSTEM, name);
    return session_plan_make(o, channel, command != NULL ? SP_REQUEST_EXEC : SP_REQUEST_SHELL,
                             command);
}
