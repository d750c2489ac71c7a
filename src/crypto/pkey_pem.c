/* Private keys from PEM: PKCS#8, encrypted or not, and libcrypto's older forms (RFC 7468, RFC
 * 5958); and to PKCS#8. */
#include "crypto/fault.h"
#include "crypto/pkey.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <string.h>

#define PBKDF2_ITERATIONS 600000 /* OWASP's figure for HMAC-SHA256 */

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

/* PBES2 with AES-256-CBC and PBKDF2 with HMAC-SHA256 (RFC 8018 6.2). */
static bool write_encrypted(PKCS8_PRIV_KEY_INFO *info, const char *passphrase, BIO *bio)
{
    EVP_CIPHER *cipher = NULL;
    X509_SIG *sealed = NULL;
    bool good = SPC_TRY((cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL)) != NULL) &&
                SPC_TRY((sealed = PKCS8_encrypt(-1, cipher, passphrase, (int)strlen(passphrase),
                                                NULL, 0, PBKDF2_ITERATIONS, info)) != NULL) &&
                SPC_TRY(PEM_write_bio_PKCS8(bio, sealed) == 1);
    X509_SIG_free(sealed);
    EVP_CIPHER_free(cipher);
    return good;
}

static bool write_pem(const spc_pkey *k, const char *passphrase, BIO *bio)
{
    PKCS8_PRIV_KEY_INFO *info = NULL;
    bool good = SPC_TRY((info = EVP_PKEY2PKCS8(k->pkey)) != NULL);

    if (good && passphrase != NULL)
        good = write_encrypted(info, passphrase, bio);
    else if (good)
        good = SPC_TRY(PEM_write_bio_PKCS8_PRIV_KEY_INFO(bio, info) == 1);
    PKCS8_PRIV_KEY_INFO_free(info); /* wipes it */
    return good;
}

bool spc_pkey_to_pkcs8(const spc_pkey *k, const char *passphrase, spb_buffer *out)
{
    BIO *bio = NULL;
    char *text = NULL;
    long length = 0;

    /* Of a composite it has no form that OpenSSH reads. */
    if (k->pkey == NULL || (passphrase != NULL && strlen(passphrase) > PEM_BUFSIZE))
        return false;
    ERR_set_mark();
    bool good = SPC_TRY((bio = BIO_new(BIO_s_secmem())) != NULL) && write_pem(k, passphrase, bio) &&
                SPC_TRY((length = BIO_get_mem_data(bio, &text)) > 0);
    if (good)
        spw_bytes(out, text, (size_t)length);
    BIO_free(bio); /* wipes it */
    ERR_pop_to_mark();
    return good && spw_ok(out);
}
