/* Bytes in: the receive buffer, and packets opened in place (RFC 4253 6). A large buffer is
 * borrowed from the pool while bytes arrive; a partial packet that has to wait is moved to memory
 * of just its size, so a silent peer holds no more than what it has sent. */
#include "transport/transport_internal.h"

#include <string.h>

bool spt_wants_input(const spt_transport *t)
{
    return t->error == NULL && t->output_length < OUTPUT_HIGH_MARK && !spt_input_waits(t);
}

void spt_input_discard(spt_transport *t)
{
    if (t->input_pooled)
        spb_pool_give(t->pool, t->input);
    else
        spb_free(spt_env(t), t->input);
    t->input = NULL;
    t->input_start = 0;
    t->input_end = 0;
    t->input_capacity = 0;
    t->input_pooled = false;
}

int spt_input_buffer(spt_transport *t, uint8_t **space, size_t *room)
{
    if (!spt_wants_input(t))
        return SP_EAGAIN;
    size_t used = t->input_end - t->input_start;

    /* What is left of a packet lies so that the new bytes begin on a page (see spb_alloc_pages). */
    size_t start = -used & (SPB_PAGE - 1);

    if (!t->input_pooled) {
        uint8_t *large = spb_pool_take(t->pool);
        if (large == NULL)
            return SP_ENOMEM;
        if (used > 0)
            memcpy(large + start, t->input + t->input_start, used);
        spb_free(spt_env(t), t->input);
        t->input = large;
        t->input_capacity = SPB_POOL_BUFFER;
        t->input_pooled = true;
    } else if (t->input_start > 0) {
        memmove(t->input + start, t->input + t->input_start, used);
    } else {
        start = 0;
    }
    t->input_start = start;
    t->input_end = start + used;
    if (t->input_end == t->input_capacity)
        return SP_EAGAIN; /* more than a packet waits: it is looked at first */
    *space = t->input + t->input_end;
    *room = t->input_capacity - t->input_end;
    return 0;
}

int spt_received(spt_transport *t, size_t length)
{
    if (length == 0) {
        spt_input_idle(t);
        return 0;
    }
    if (t->input == NULL || length > t->input_capacity - t->input_end)
        return SP_EINVAL;
    t->input_end += length;
    t->received_total += length;
    t->last_received = t->now;
    if (!t->authenticated && t->received_total > INPUT_BUDGET_UNAUTHENTICATED)
        return spt_fail(t, SP_ELIMIT, SP_DISCONNECT_PROTOCOL_ERROR,
                        "too much data before authentication");
    return 0;
}

void spt_input_idle(spt_transport *t)
{
    size_t left = t->input_end - t->input_start;

    if (t->input == NULL)
        return;
    if (left == 0) {
        spt_input_discard(t);
    } else if (t->input_pooled) {
        uint8_t *small = spb_memdup(spt_env(t), t->input + t->input_start, left);
        if (small == NULL)
            return; /* the large buffer serves as well */
        spt_input_discard(t);
        t->input = small;
        t->input_end = left;
        t->input_capacity = left;
    }
}

static uint32_t packet_limit(const spt_transport *t)
{
    uint32_t limit = t->config->options.packet_size + PACKET_SLACK;
    if (!t->authenticated || limit < PACKET_LIMIT_UNAUTHENTICATED)
        return PACKET_LIMIT_UNAUTHENTICATED;
    return limit;
}

/* Learns and checks the length of the next packet. 1: known; 0: more bytes are needed. */
static int learn_length(spt_transport *t)
{
    spc_protection *p = t->in.protection;
    const uint8_t *packet = t->input + t->input_start;
    size_t left = t->input_end - t->input_start;
    uint32_t length;
    size_t block = 8;
    size_t clear = 0;

    if (p == NULL) {
        if (left < 4)
            return 0;
        length = spb_get_u32(packet);
    } else {
        if (left < spc_protection_need(p))
            return 0;
        if (!spc_open_length(p, t->in.sequence, packet, &length))
            return spt_fail(t, SP_ECRYPTO, SP_DISCONNECT_MAC_ERROR, "packet can't be decrypted");
        block = spc_protection_block(p);
        clear = spc_protection_clear_length(p);
    }
    /* Where the length is not part of the blocks (EtM, AEAD), a one-byte message makes 8 bytes. */
    size_t least = clear != 0 ? 8 : PACKET_MIN - 4;
    if (length < least || length > packet_limit(t) || (length + 4 - clear) % block != 0)
        return spt_fail(t, SP_EPROTO, SP_DISCONNECT_PROTOCOL_ERROR, "bad packet length %lu",
                        (unsigned long)length);
    t->packet_length = length;
    return 1;
}

/* Counts the packet and steps its sequence number. */
static int count_packet(spt_transport *t, uint32_t length)
{
    t->in.sequence++;
    t->in.packets++;
    t->in.bytes += length;
    /* A wrap in the first exchange would let numbers be chosen (strict key exchange forbids it). */
    if (t->in.sequence == 0 && !t->first_kex_done)
        return spt_fail(t, SP_EPROTO, SP_DISCONNECT_PROTOCOL_ERROR, "sequence number wrapped");
    return 0;
}

static int inflate_payload(spt_transport *t, const uint8_t **payload, size_t *length)
{
    if (t->in.compressor == NULL)
        return 0;
    if (t->inflated.env == NULL)
        spb_buffer_init(&t->inflated, spt_env(t), 0);
    t->inflated.limit = packet_limit(t);
    spb_buffer_clear(&t->inflated);
    if (!spt_decompress(t->in.compressor, *payload, *length, &t->inflated))
        return spt_fail(t, SP_EPROTO, SP_DISCONNECT_COMPRESSION_ERROR,
                        "compressed packet can't be expanded");
    /* Before login the work of expanding is limited as what comes over the wire is. */
    if (!t->authenticated) {
        t->received_total += t->inflated.length;
        if (t->received_total > INPUT_BUDGET_UNAUTHENTICATED)
            return spt_fail(t, SP_ELIMIT, SP_DISCONNECT_PROTOCOL_ERROR,
                            "too much data before authentication");
    }
    *payload = t->inflated.data;
    *length = t->inflated.length;
    return 0;
}

int spt_next_packet(spt_transport *t, uint8_t *message, spb_reader *payload)
{
    if (t->error != NULL)
        return t->error->error;
    if (spt_input_waits(t) || t->output_length >= OUTPUT_HIGH_MARK)
        return 0;
    if (t->input_start == t->input_end)
        return 0;
    if (t->peer_version == NULL) {
        int result = spt_read_version(t);
        if (result != 1)
            return result;
    }
    if (t->packet_length == 0) {
        int result = learn_length(t);
        if (result != 1)
            return result;
    }

    size_t tag = t->in.protection == NULL ? 0 : spc_protection_tag(t->in.protection);
    size_t whole = 4 + (size_t)t->packet_length + tag;
    if (t->input_end - t->input_start < whole)
        return 0;
    uint8_t *packet = t->input + t->input_start;
    uint32_t length = t->packet_length;
    if (t->in.protection != NULL && !spc_open(t->in.protection, t->in.sequence, packet, length))
        return spt_fail(t, SP_EMAC, SP_DISCONNECT_MAC_ERROR, "packet failed its integrity check");
    t->input_start += whole;
    t->packet_length = 0;

    uint8_t padding = packet[4];
    if (padding < 4 || (uint32_t)padding + 1 >= length)
        return spt_fail(t, SP_EPROTO, SP_DISCONNECT_PROTOCOL_ERROR, "bad padding length %u",
                        (unsigned)padding);
    int result = count_packet(t, length);
    if (result != 0)
        return result;
    const uint8_t *bytes = packet + PACKET_HEAD;
    size_t size = length - 1 - padding;
    result = inflate_payload(t, &bytes, &size);
    if (result != 0)
        return result;
    if (size == 0)
        return spt_fail(t, SP_EPROTO, SP_DISCONNECT_PROTOCOL_ERROR, "empty packet");
    *message = bytes[0];
    spr_init(payload, bytes + 1, size - 1);
    return 1;
}
