/* What a proof of identity allows its bearer: the one object that is asked everywhere. It comes
 * from the options of an authorized_keys line (sshd(8)), from a certificate (PROTOCOL.certkeys), or
 * from several proofs of one login, and then allows only what all of them do.
 *
 * Immutable and counted, for any thread. NULL allows nothing, and so does whatever is not known. */
#ifndef SPK_PERMISSIONS_H
#define SPK_PERMISSIONS_H

#include "crypto/crypto.h"

#include <sallyport/key.h>

typedef struct spk_permissions spk_permissions;

typedef enum spk_permit {
    SPK_PERMIT_NONE = 0, /* never permitted */
    SPK_PERMIT_PTY,
    SPK_PERMIT_PORT_FORWARDING, /* both ways, TCP and UNIX sockets; see the questions below */
    SPK_PERMIT_AGENT_FORWARDING,
    SPK_PERMIT_X11_FORWARDING,
    SPK_PERMIT_USER_RC,
    /* For signatures of security keys: may they lack the touch, the user's verification? */
    SPK_PERMIT_NO_TOUCH,
    SPK_PERMIT_NO_VERIFY,
    SPK_PERMIT_COUNT,
} spk_permit;

/* All is permitted (but signatures without touch): a login with a password, a key without options.
 * Never fails. */
spk_permissions *spk_permissions_all(void);
/* What a user certificate permits: an extension that it does not have is not permitted. Only for a
 * certificate that spk_cert_check has taken. 0, SP_EFORMAT, SP_ENOMEM. */
int spk_permissions_from_cert(spk_permissions **out, const sp_cert *cert) SPC_MUST_CHECK;
/* What both permit. Flags: both. Lists of hosts and ports: each must allow. Two forced commands:
 * the same or SP_EAUTH, with `*reason` "forced commands differ". Environment: a's, then b's under
 * other names. SP_ENOMEM. NULL in, SP_EAUTH out. */
int spk_permissions_intersect(spk_permissions **out, const spk_permissions *a,
                              const spk_permissions *b, const char **reason) SPC_MUST_CHECK;
spk_permissions *spk_permissions_ref(const spk_permissions *p);
void spk_permissions_unref(spk_permissions *p); /* NULL is fine */

bool spk_may(const spk_permissions *p, spk_permit what);
/* Forwarding, permitted as such and by the permitopen or permitlisten options if there are any.
 * `host` is as the client wrote it: compared literally in permitopen, with patterns in
 * permitlisten; `port` 0 (any) is allowed only by a `*`. */
bool spk_may_open(const spk_permissions *p, const char *host, uint32_t port);
bool spk_may_listen(const spk_permissions *p, const char *host, uint32_t port);
/* The same for UNIX sockets, which no option can name: with a list, only "*:*" allows them. */
bool spk_may_open_path(const spk_permissions *p, const char *path);
bool spk_may_listen_path(const spk_permissions *p, const char *path);

/* The command to run whatever the client asks for; NULL: none (ask spk_may first where p may be
 * NULL). */
const char *spk_forced_command(const spk_permissions *p);
/* "NAME=value", each name once; NULL past the end. Whether they are obeyed is for the server to
 * decide (sshd's PermitUserEnvironment). */
const char *spk_environment(const spk_permissions *p, size_t index);

/* For the application: the index-th value that the authorized_keys line(s) gave to an option, ""
 * for a bare word; NULL: no (further) one. Names are found in either case. */
const char *spk_option(const spk_permissions *p, const char *name, size_t index);
/* The certificate of the (first) proof that was one; NULL: none. Lent. */
const sp_cert *spk_permissions_cert(const spk_permissions *p);

#endif
