/* The table of a connection's channels, and the numbers of questions. Our channel number is the
 * smallest free one, so the table stays as small as the most channels open at once. A question's
 * number holds its channel's and a count that never comes back: a late answer finds nothing. */
#include "connection/connection_internal.h"

#include <string.h>

#define TABLE_MIN 4u

spn_channel *spn_find(const spn_connection *c, uint32_t number)
{
    return number < c->table_size ? c->table[number] : NULL;
}

int spn_find_open(const spn_connection *c, uint32_t number, spn_channel **channel)
{
    spn_channel *ch = spn_find(c, number);
    *channel = ch;
    if (ch == NULL || spt_failed(c->transport))
        return SP_ECONN;
    if (ch->state == SPN_OPENING || (ch->state == SPN_ASKED && !ch->unwanted))
        return SP_ESTATE;
    return ch->state == SPN_OPEN ? 0 : SP_ECLOSED;
}

static bool table_grow(spn_connection *c)
{
    uint32_t size = c->table_size == 0 ? TABLE_MIN : c->table_size * 2;
    if (size > SPN_CHANNELS_MAX)
        size = SPN_CHANNELS_MAX;
    if (size <= c->table_size)
        return false;
    spn_channel **table = spb_realloc(c->env, c->table, size * sizeof *table);
    if (table == NULL)
        return false;
    memset(table + c->table_size, 0, (size - c->table_size) * sizeof *table);
    c->table = table;
    c->table_size = size;
    return true;
}

spn_channel *spn_channel_add(spn_connection *c, const spn_channel_type *type)
{
    uint32_t number = c->first_free;
    while (number < c->table_size && c->table[number] != NULL)
        number++;
    if (number == c->table_size && !table_grow(c))
        return NULL;
    spn_channel *ch = spb_calloc(c->env, 1, sizeof *ch);
    if (ch == NULL)
        return NULL;
    ch->c = c;
    ch->type = type;
    ch->number = number;
    ch->start = type->start;
    c->table[number] = ch;
    c->first_free = number + 1;
    c->count++;
    c->sessions += type->session;
    return ch;
}

void spn_channel_remove(spn_channel *ch)
{
    spn_connection *c = ch->c;
    spn_window_release(ch);
    spn_requests_drop(ch);
    spn_fifo_clear(&ch->received, c);
    spn_fifo_clear(&ch->held, c);
    spb_list_remove(&ch->ready);
    spb_list_remove(&ch->sending);
    spb_free(c->env, ch->exit_body);
    spb_free(c->env, ch->failure);
    spn_forget_open(ch);
    spn_forget_place(ch);
    c->table[ch->number] = NULL;
    if (ch->number < c->first_free)
        c->first_free = ch->number;
    c->count--;
    c->sessions -= ch->type->session;
    spb_free(c->env, ch);
    if (c->count == 0 && c->table_size > TABLE_MIN) {
        spb_free(c->env, c->table);
        c->table = NULL;
        c->table_size = 0;
    }
}

uint64_t spn_question_new(spn_channel *ch)
{
    spn_connection *c = ch->c;
    c->questions = (c->questions + 1) & SPN_QUESTION_COUNT_MASK;
    ch->question = SPN_QUESTION_ROOM | (c->questions << SPN_SLOT_BITS) | ch->number;
    return ch->question;
}

int spn_question_find(const spn_connection *c, uint64_t question, spn_channel **channel)
{
    if ((question & SPN_SLOT_MASK) == SPN_SLOT_MASK)
        return SP_EINVAL; /* a global request's */
    spn_channel *ch = spn_find(c, (uint32_t)question & SPN_SLOT_MASK);
    *channel = ch;
    if (ch == NULL || question == 0 || spt_failed(c->transport))
        return SP_ECONN;
    if (ch->question != question)
        return ch->answered == question ? SP_EALREADY : SP_ECONN;
    return 0;
}

void spn_question_answered(spn_channel *ch)
{
    ch->answered = ch->question;
    ch->question = 0;
}

void spn_ready(spn_channel *ch)
{
    if (!spb_list_linked(&ch->ready))
        spb_list_append(&ch->c->ready, &ch->ready);
}
