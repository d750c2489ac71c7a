/* Asking a list of revoked keys (PROTOCOL.krl, or plain keys). NULL for a list means that it could
 * not be read: everything is revoked. Who has no list at all does not ask. */
#ifndef SPK_REVOKED_H
#define SPK_REVOKED_H

#include <sallyport/key.h>

/* The key by itself: listed, or its fingerprint is. Also true when a fingerprint that is needed
 * can't be made. */
bool spk_revoked_key(const sp_revoked_keys *list, const sp_key *key);
/* The certificate by its serial number or key id, its certified key, or its CA's key. */
bool spk_revoked_cert(const sp_revoked_keys *list, const sp_cert *cert);

#endif
