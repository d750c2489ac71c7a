/* Packets out: messages are sealed straight into the output's chunks (RFC 4253 6). During a key
 * exchange, messages above the transport are held and go out, in order, behind our NEWKEYS. */
#include "transport/transport_internal.h"

#include <string.h>

/* The chunk that has room for `length` more bytes in one piece. */
static spt_chunk *room_for(spt_transport *t, size_t length)
{
    spt_chunk *last = t->output_last;
    if (last != NULL && last->capacity - last->end >= length)
        return last;
    /* A few small packets need no large buffer. */
    bool small = last == NULL && length <= OUTPUT_SMALL_CHUNK / 2;
    if (!small && length > SPB_POOL_BUFFER)
        return NULL;

    spt_chunk *chunk = spb_calloc(spt_env(t), 1, sizeof *chunk);
    if (chunk == NULL)
        return NULL;
    chunk->pooled = !small;
    chunk->capacity = small ? OUTPUT_SMALL_CHUNK : SPB_POOL_BUFFER;
    chunk->data = small ? spb_alloc(spt_env(t), OUTPUT_SMALL_CHUNK) : spb_pool_take(t->pool);
    if (chunk->data == NULL) {
        spb_free(spt_env(t), chunk);
        return NULL;
    }
    if (last == NULL)
        t->output_first = chunk;
    else
        last->next = chunk;
    t->output_last = chunk;
    return chunk;
}

static void drop_first(spt_transport *t)
{
    spt_chunk *chunk = t->output_first;

    t->output_first = chunk->next;
    if (t->output_first == NULL)
        t->output_last = NULL;
    if (chunk->pooled)
        spb_pool_give(t->pool, chunk->data);
    else
        spb_free(spt_env(t), chunk->data);
    spb_free(spt_env(t), chunk);
}

int spt_output(const spt_transport *t, struct iovec *vector, int count)
{
    int n = 0;

    for (spt_chunk *c = t->output_first; c != NULL && n < count; c = c->next) {
        if (c->end == c->start)
            continue;
        vector[n].iov_base = c->data + c->start;
        vector[n].iov_len = c->end - c->start;
        n++;
    }
    return n;
}

size_t spt_output_length(const spt_transport *t)
{
    return t->output_length;
}

void spt_consumed(spt_transport *t, size_t length)
{
    if (length > t->output_length)
        length = t->output_length;
    bool was_full = t->output_length >= OUTPUT_DATA_MARK;
    t->output_length -= length;
    while (t->output_first != NULL) {
        spt_chunk *c = t->output_first;
        size_t here = c->end - c->start;
        if (length < here) {
            c->start += length;
            break;
        }
        length -= here;
        drop_first(t);
    }
    if (was_full && t->output_length < OUTPUT_DATA_MARK)
        t->writable = true;
}

int spt_output_bytes(spt_transport *t, const void *data, size_t length)
{
    spt_chunk *chunk = room_for(t, length);
    if (chunk == NULL)
        return SP_ENOMEM;
    memcpy(chunk->data + chunk->end, data, length);
    chunk->end += length;
    t->output_length += length;
    return 0;
}

/* Random bytes for padding; each is used once. NULL: the random source failed. */
static const uint8_t *take_padding(spt_transport *t, size_t length)
{
    if (length > sizeof t->padding)
        return NULL;
    if (t->padding_left < length) {
        if (!spc_random(spt_env(t), t->padding, sizeof t->padding))
            return NULL;
        t->padding_left = sizeof t->padding;
    }
    t->padding_left = (uint8_t)(t->padding_left - length);
    return t->padding + t->padding_left;
}

static int seal_failed(spt_transport *t, int error)
{
    /* Nothing can be sent any more, so no DISCONNECT. */
    return spt_fail(t, error, 0, "%s",
                    error == SP_ENOMEM ? "out of memory" : "packet can't be encrypted");
}

/* Seals one packet. `head` holds PACKET_HEAD free bytes, then the payload's start. */
static int seal(spt_transport *t, uint8_t *head, size_t head_length, const uint8_t *data,
                size_t data_length)
{
    spc_protection *p = t->out.protection;
    size_t block = p == NULL ? 8 : spc_protection_block(p);
    size_t clear = p == NULL ? 0 : spc_protection_clear_length(p);
    size_t tag = p == NULL ? 0 : spc_protection_tag(p);
    size_t plain = head_length + data_length; /* without padding */
    size_t padding = block - (plain - clear) % block;
    if (padding < 4)
        padding += block;
    while (plain + padding < PACKET_MIN)
        padding += block;

    const uint8_t *pad = take_padding(t, padding);
    if (pad == NULL)
        return seal_failed(t, SP_ECRYPTO);
    spt_chunk *chunk = room_for(t, plain + padding + tag);
    if (chunk == NULL)
        return seal_failed(t, SP_ENOMEM);
    spb_put_u32(head, (uint32_t)(plain + padding - 4));
    head[4] = (uint8_t)padding;

    uint8_t *to = chunk->data + chunk->end;
    if (p != NULL) {
        const spb_span spans[3] = {{head, head_length}, {data, data_length}, {pad, padding}};
        if (!spc_seal(p, t->out.sequence, spans, 3, to))
            return seal_failed(t, SP_ECRYPTO);
    } else {
        memcpy(to, head, head_length);
        if (data_length != 0)
            memcpy(to + head_length, data, data_length);
        memcpy(to + plain, pad, padding);
    }
    chunk->end += plain + padding + tag;
    t->output_length += plain + padding + tag;
    t->out.sequence++;
    t->out.packets++;
    t->out.bytes += plain + padding;
    if (t->out.sequence == 0 && !t->first_kex_done)
        return spt_fail(t, SP_EPROTO, 0, "sequence number wrapped");
    return 0;
}

/* Compressed packets are built in one piece first. */
static int seal_compressed(spt_transport *t, const uint8_t *head, size_t head_length,
                           const uint8_t *data, size_t data_length)
{
    spb_buffer packed;
    static const uint8_t room[PACKET_HEAD];

    spb_buffer_init(&packed, spt_env(t), 2 * (size_t)PACKET_LIMIT_UNAUTHENTICATED + 65536);
    spw_bytes(&packed, room, sizeof room);
    int result = 0;
    if (!spt_compress(t->out.compressor, head + PACKET_HEAD, head_length - PACKET_HEAD, &packed) ||
        (data_length != 0 && !spt_compress(t->out.compressor, data, data_length, &packed)) ||
        !spw_ok(&packed))
        result = seal_failed(t, SP_ENOMEM);
    else
        result = seal(t, packed.data, packed.length, NULL, 0);
    spb_buffer_free(&packed);
    return result;
}

static int send_packet(spt_transport *t, uint8_t *head, size_t head_length, const uint8_t *data,
                       size_t data_length)
{
    if (t->out.compressor != NULL)
        return seal_compressed(t, head, head_length, data, data_length);
    return seal(t, head, head_length, data, data_length);
}

spb_buffer *spt_begin(spt_transport *t, uint8_t message)
{
    static const uint8_t room[PACKET_HEAD];

    spb_buffer_clear(&t->message);
    spw_bytes(&t->message, room, sizeof room);
    spw_u8(&t->message, message);
    return &t->message;
}

/* May this message go out while keys are exchanged (RFC 4253 7.1)? */
static bool goes_out_during_kex(uint8_t message)
{
    return message <= SSH_MSG_DEBUG || (message >= SSH_MSG_KEXINIT && message <= 49);
}

int spt_end(spt_transport *t)
{
    spb_buffer *b = &t->message;
    int result = 0;

    if (!spw_ok(b) || b->data == NULL) {
        result = spt_fail(t, SP_ENOMEM, SP_DISCONNECT_BY_APPLICATION, "out of memory");
    } else if (t->error != NULL && b->data[PACKET_HEAD] != SSH_MSG_DISCONNECT) {
        result = t->error->error;
    } else if (t->kex_state != KEX_IDLE && t->kex_state != KEX_WAIT_NEWKEYS &&
               !goes_out_during_kex(b->data[PACKET_HEAD])) {
        spw_string(&t->held, b->data + PACKET_HEAD, b->length - PACKET_HEAD);
        if (!spw_ok(&t->held))
            result = spt_fail(t, SP_ELIMIT, SP_DISCONNECT_BY_APPLICATION,
                              "too much waits for the end of a key exchange");
    } else {
        result = send_packet(t, b->data, b->length, NULL, 0);
    }
    /* An idle connection keeps no buffer. */
    spb_buffer_free(b);
    return result;
}

int spt_flush_held(spt_transport *t)
{
    spb_buffer held = t->held;
    spb_reader r;
    int result = 0;

    spb_buffer_init(&t->held, spt_env(t), HELD_LIMIT);
    spr_init(&r, held.data, held.length);
    while (result == 0 && spr_left(&r) > 0) {
        spb_span message = spr_string(&r);
        if (!spr_ok(&r) || message.length == 0)
            break;
        spb_buffer *b = spt_begin(t, message.data[0]);
        spw_bytes(b, message.data + 1, message.length - 1);
        result = spt_end(t);
    }
    spb_buffer_free(&held);
    return result;
}

bool spt_can_send_data(const spt_transport *t)
{
    return t->error == NULL && (t->kex_state == KEX_IDLE || t->kex_state == KEX_WAIT_NEWKEYS) &&
           t->first_kex_done && t->output_length < OUTPUT_DATA_MARK;
}

int spt_send_data(spt_transport *t, const uint8_t *head, size_t head_length, const uint8_t *data,
                  size_t length)
{
    uint8_t front[PACKET_HEAD + 32];

    if (head_length > sizeof front - PACKET_HEAD || !spt_can_send_data(t))
        return SP_ESTATE;
    memcpy(front + PACKET_HEAD, head, head_length);
    int result = send_packet(t, front, PACKET_HEAD + head_length, data, length);
    if (result == 0)
        result = spt_check_rekey(t);
    return result;
}
