/* A bastion: users of one certification authority jump through it to the hosts that are listed, and
 * do nothing else here. No password, no bare key, no shell.
 *     bastion PORT HOST_KEY_FILE|- CA_KEY_FILE [HOST:PORT ...]
 *     ssh -J ann@BASTION:PORT bob@HOST          (ann has a certificate: ssh-keygen -s CA -n ann) */
#include "example.h"

typedef struct gate {
    sp_key *ca;
    char **hosts;
    int count;
} gate;

/* Everything else about the certificate is checked by the library: signature, dates, principals
 * (the user's name must be one), source address, permit-port-forwarding, possession of its key. */
static sp_answer validate_ca_key(sp_conn *conn, sp_auth *auth, const char *username,
                                 const sp_key *ca_key)
{
    const gate *g = sp_server_data(sp_conn_server(conn));
    (void)auth;
    (void)username;
    return sp_key_equal(ca_key, g->ca) ? SP_ACCEPT : SP_REJECT;
}

static sp_answer connection_requested(sp_conn *conn, sp_open *open, const char *dest_host,
                                      uint16_t dest_port, const char *orig_host, uint16_t orig_port)
{
    const gate *g = sp_server_data(sp_conn_server(conn));
    char wanted[300];

    (void)orig_host;
    (void)orig_port;
    (void)snprintf(wanted, sizeof wanted, "%s:%u", dest_host, (unsigned)dest_port);
    for (int i = 0; i < g->count; i++)
        if (strcmp(g->hosts[i], wanted) == 0) {
            (void)printf("%s (%s) to %s\n", sp_conn_username(conn),
                         sp_cert_key_id(sp_conn_certificate(conn)), wanted);
            (void)fflush(stdout);
            return SP_ACCEPT;
        }
    return sp_answered(
        sp_open_refuse(open, SP_OPEN_ADMINISTRATIVELY_PROHIBITED, "not behind this bastion"));
}

int main(int argc, char **argv)
{
    gate g = {.hosts = argv + 4, .count = argc > 4 ? argc - 4 : 0};
    const sp_server_handlers handlers = {
        SP_SERVER_HANDLERS_INIT,
        .public_key_auth_supported = example_yes,
        .validate_ca_key = validate_ca_key,
        .connection_requested = connection_requested,
    };

    if (argc < 4)
        return example_fail("usage", "bastion PORT HOST_KEY_FILE|- CA_KEY_FILE [HOST:PORT ...]");
    int result = sp_key_load_public(&g.ca, argv[3]);
    if (result != 0)
        return example_fail(argv[3], sp_strerror(result));
    example e = example_arguments(argc, argv);
    result = example_run(&e, &handlers, &g);
    sp_key_unref(g.ca);
    return result;
}
