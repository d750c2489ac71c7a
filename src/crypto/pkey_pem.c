/* Private keys from PEM: PKCS#8, encrypted or not, and libcrypto's older forms (RFC 7468). */
#include "crypto/fault.h"
#include "crypto/pkey.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

typedef struct pem_question {
    const char *passphrase; /* may be NULL */
    bool asked;
} pem_question;

static int pem_passphrase(char *out, int size, int writing, void *data)
{
    pem_question *q = data;
    (void)writing;

    q->asked = true;
    size_t length = q->passphrase == NULL ? 0 : strlen(q->passphrase);
    if (q->passphrase == NULL || size < 0 || length > (size_t)size)
        return -1;
    memcpy(out, q->passphrase, length);
    return (int)length;
}

int spc_pkey_from_pem(spc_pkey **out, const spb_env *env, spb_span text, const char *passphrase)
{
    pem_question question = {passphrase, false};
    EVP_PKEY *pkey = NULL;
    BIO *bio = NULL;
    int result;

    *out = NULL;
    if (text.length > INT_MAX)
        return SP_ELIMIT;
    ERR_set_mark();
    if (!SPC_TRY((bio = BIO_new_mem_buf(text.data, (int)text.length)) != NULL)) {
        result = SP_ENOMEM;
    } else if (!SPC_TRY((pkey = PEM_read_bio_PrivateKey_ex(bio, NULL, pem_passphrase, &question,
                                                           NULL, NULL)) != NULL)) {
        result = question.asked ? SP_EPASSPHRASE : SP_EFORMAT;
    } else {
        /* Sizes first, arithmetic on the unchecked numbers second. */
        result = spc_pkey_adopt(out, env, pkey);
        if (result == 0 && !spc_pkey_consistent(*out)) {
            spc_pkey_free(*out);
            *out = NULL;
            result = SP_EFORMAT;
        }
    }
    BIO_free(bio);
    ERR_pop_to_mark();
    return result;
}
