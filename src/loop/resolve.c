/* Looking up a host name. A look-up that runs cannot be stopped: cancelling it only means that
 * nobody is told. */
#include "loop/resolve.h"
#include "loop/loop_uv.h"

#include <netdb.h>
#include <string.h>
#include <sys/socket.h>

struct spl_resolve {
    uv_getaddrinfo_t request;
    spl_loop *loop;
    spl_resolve_fn done; /* NULL: canceled */
    void *data;
};

static bool known(const spl_address *addresses, size_t count, const spl_address *address)
{
    for (size_t i = 0; i < count; i++)
        if (addresses[i].kind == address->kind && addresses[i].scope == address->scope &&
            memcmp(addresses[i].bytes, address->bytes, sizeof address->bytes) == 0)
            return true;
    return false;
}

static void resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
    spl_resolve *resolve = request->data;
    spl_address addresses[SPL_RESOLVED_MAX];
    size_t count = 0;
    for (const struct addrinfo *at = status == 0 ? list : NULL; at != NULL; at = at->ai_next) {
        spl_address address;
        spl_socket_address(at->ai_addr, at->ai_addrlen, &address);
        if (address.kind != 0 && count < SPL_RESOLVED_MAX && !known(addresses, count, &address))
            addresses[count++] = address;
    }
    uv_freeaddrinfo(list);
    resolve->loop->busy--;
    spl_resolve_fn done = resolve->done;
    void *data = resolve->data;
    spb_free(&resolve->loop->env, resolve);
    if (done != NULL)
        done(data, addresses, count,
             count > 0     ? NULL
             : status != 0 ? uv_strerror(status)
                           : "No address");
}

int spl_resolve_host(spl_resolve **out, spl_loop *loop, const char *host, spl_resolve_fn done,
                     void *data)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    spl_resolve *resolve = spb_calloc(&loop->env, 1, sizeof *resolve);
    if (resolve == NULL)
        return SP_ENOMEM;
    resolve->loop = loop;
    resolve->done = done;
    resolve->data = data;
    resolve->request.data = resolve;
    int result = uv_getaddrinfo(loop->uv, &resolve->request, resolved, host, NULL, &hints);
    if (result != 0) {
        spb_free(&loop->env, resolve);
        return result == UV_ENOMEM ? SP_ENOMEM : SP_ENOENT; /* no host name at all: too long, say */
    }
    loop->busy++;
    *out = resolve;
    return 0;
}

void spl_resolve_cancel(spl_resolve *resolve)
{
    if (resolve == NULL)
        return;
    resolve->done = NULL;
    (void)uv_cancel((uv_req_t *)&resolve->request);
}
