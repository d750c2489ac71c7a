/* zlib@openssh.com (OpenSSH PROTOCOL 1.2): one direction of delayed compression. */
#ifndef SPT_COMPRESS_H
#define SPT_COMPRESS_H

#include "base/wire.h"

typedef struct spt_compressor spt_compressor;

spt_compressor *spt_compressor_new(const spb_env *env, bool deflating);
void spt_compressor_free(spt_compressor *c);
/* Appends to `out`, which bounds the size. False: out of memory, bad data, or too large. */
bool spt_compress(spt_compressor *c, const uint8_t *data, size_t length, spb_buffer *out);
bool spt_decompress(spt_compressor *c, const uint8_t *data, size_t length, spb_buffer *out);

#endif
