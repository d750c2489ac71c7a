/* Random bytes: the environment's source when it has one (tests, replay), else libcrypto's. */
#include "crypto/crypto.h"
#include "crypto/fault.h"

#include <limits.h>
#include <openssl/rand.h>

bool spc_random(const spb_env *env, void *buffer, size_t length)
{
    if (length > INT_MAX)
        return false;
    if (env->random.fill != NULL)
        return SPC_TRY(env->random.fill(env->random.ctx, buffer, length));
    return SPC_TRY(RAND_bytes(buffer, (int)length) == 1);
}
