/* Repeats each line that it is told, in direct style: one function that reads from top to bottom.
 * echo_callback.c is the same program with a handler for each thing that happens.
 *     ssh -p PORT anyone@127.0.0.1 */
#include "example.h"

static int echo(sp_process *p, void *data)
{
    char line[256];
    ptrdiff_t length;

    (void)data;
    sp_puts(p, "Say something; \"bye\" ends.\n");
    while ((length = sp_gets(p, line, sizeof line)) >= 0 || length == SP_ELIMIT) {
        if (length == SP_ELIMIT)
            sp_puts(p, "That was too much.\n");
        else if (strcmp(line, "bye") == 0)
            return 0;
        else
            sp_printf(p, "You said: %s\n", line); /* waits for a client that reads slowly */
    }
    return 1; /* the end of the input, or of the connection */
}

static sp_answer session_requested(sp_conn *conn, sp_open *open)
{
    (void)conn;
    return sp_answered(sp_open_direct(open, echo, NULL, NULL));
}

int main(int argc, char **argv)
{
    example e = example_arguments(argc, argv);
    const sp_server_handlers handlers = {
        SP_SERVER_HANDLERS_INIT,
        .begin_auth = example_welcome,
        .session_requested = session_requested,
    };
    return example_run(&e, &handlers, NULL);
}
