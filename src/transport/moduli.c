/* The primes for group exchange: moduli(5), and the choice among them (RFC 4419 3). */
#include "transport/moduli.h"

#define LINE_FIELDS 7
#define TYPE_SAFE 2       /* p = 2q + 1 */
#define TEST_COMPOSITE 1u /* the number is known to be none */
#define PRIME_MAX ((size_t)SPC_DH_BITS_MAX / 8)

/* ---- a line: time, type, tests, trials, size, generator, modulus ---- */

static bool blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static size_t split(spb_span line, spb_span fields[LINE_FIELDS + 1])
{
    size_t count = 0;

    for (size_t i = 0; i < line.length && count <= LINE_FIELDS;) {
        if (blank(line.data[i])) {
            i++;
            continue;
        }
        size_t start = i;
        while (i < line.length && !blank(line.data[i]))
            i++;
        fields[count++] = (spb_span){line.data + start, i - start};
    }
    return count;
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* At most eight digits. */
static bool number(spb_span field, unsigned base, uint32_t *value)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < field.length; i++) {
        int digit = hex_digit(field.data[i]);
        if (digit < 0 || (unsigned)digit >= base)
            return false;
        sum = sum * base + (unsigned)digit;
    }
    *value = (uint32_t)sum;
    return field.length > 0 && field.length <= 8;
}

/* Without leading zeros. */
static bool read_prime(spb_span field, uint8_t *prime, spt_modulus *modulus)
{
    size_t digits = field.length;
    size_t length = (digits + 1) / 2;

    if (length == 0 || length > PRIME_MAX || field.data[0] == '0')
        return false;
    for (size_t i = 0; i < length; i++) {
        /* An odd number of digits: the first byte has one. */
        size_t at = 2 * i + 2 - length * 2 + digits;
        int high = at >= 2 ? hex_digit(field.data[at - 2]) : 0;
        int low = hex_digit(field.data[at - 1]);
        if (high < 0 || low < 0)
            return false;
        prime[i] = (uint8_t)(high << 4 | low);
    }
    modulus->group.prime = prime;
    modulus->group.length = length;
    modulus->bits = (unsigned)length * 8;
    for (unsigned bit = 0x80; (prime[0] & bit) == 0; bit >>= 1)
        modulus->bits--;
    return true;
}

int spt_moduli_line(spb_span line, uint8_t *prime, spt_modulus *modulus, const char **why)
{
    spb_span fields[LINE_FIELDS + 1];
    uint32_t type, tests, trials, size;
    size_t count = split(line, fields);

    if (count == 0 || fields[0].data[0] == '#')
        return 0;
    *why = "not seven fields with their numbers";
    if (count != LINE_FIELDS || !number(fields[1], 10, &type) || !number(fields[2], 10, &tests) ||
        !number(fields[3], 10, &trials) || !number(fields[4], 10, &size) ||
        !number(fields[5], 16, &modulus->group.generator))
        return -1;
    *why = "no safe prime";
    if (type != TYPE_SAFE)
        return -1;
    *why = "not tested for being prime";
    if ((tests & TEST_COMPOSITE) != 0 || (tests & ~TEST_COMPOSITE) == 0 || trials == 0)
        return -1;
    *why = "the modulus is no number of up to 8192 bits";
    if (!read_prime(fields[6], prime, modulus))
        return -1;
    /* The field tells one bit less, by tradition. */
    *why = "the modulus has another size than the line says";
    if (modulus->bits != size && modulus->bits != size + 1)
        return -1;
    *why = "the modulus has fewer than 2048 bits";
    if (modulus->bits < SPC_DH_BITS_MIN)
        return -1;
    *why = "the modulus is even, or the generator below 2";
    return (prime[modulus->group.length - 1] & 1) != 0 && modulus->group.generator >= 2 ? 1 : -1;
}

/* ---- the list ---- */

static bool add(spt_moduli *m, const spb_env *env, const spt_modulus *modulus, size_t *used)
{
    if ((m->count & (m->count - 1)) == 0) { /* full at each power of two */
        size_t room = m->count == 0 ? 1 : m->count * 2;
        spt_modulus *more = spb_realloc(env, m->items, room * sizeof *more);
        if (more == NULL)
            return false;
        m->items = more;
    }
    uint8_t *place = m->bytes + *used;
    memcpy(place, modulus->group.prime, modulus->group.length);
    *used += modulus->group.length;
    m->items[m->count] = *modulus;
    m->items[m->count++].group.prime = place;
    return true;
}

/* A prime has half as many bytes as digits. */
static int read_text(spt_moduli *m, const spb_env *env, spb_span text)
{
    uint8_t prime[PRIME_MAX];
    size_t used = 0;
    unsigned long lines = 0;

    while (text.length > 0 && m->count < SPT_MODULI_MAX) {
        const uint8_t *newline = memchr(text.data, '\n', text.length);
        spb_span line = {text.data, newline == NULL ? text.length : (size_t)(newline - text.data)};
        spt_modulus modulus;
        const char *why;
        int found = spt_moduli_line(line, prime, &modulus, &why);
        size_t taken = line.length + (newline == NULL ? 0 : 1);

        lines++;
        text = (spb_span){text.data + taken, text.length - taken};
        if (found < 0)
            spb_log(env, SP_LOG_VERBOSE, "moduli, line %lu: %s", lines, why);
        if (found > 0 && !add(m, env, &modulus, &used))
            return SP_ENOMEM;
    }
    return 0;
}

static int use_built_in(spt_moduli *m, const spb_env *env)
{
    static const unsigned sizes[] = {2048, 4096, 8192};
    uint8_t prime[PRIME_MAX];
    size_t used = 0;

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const spt_modulus modulus = {{prime, sizes[i] / 8, 2}, sizes[i]};
        if (!spc_dh_prime(sizes[i], prime))
            return SP_ECRYPTO;
        if (!add(m, env, &modulus, &used))
            return SP_ENOMEM;
    }
    return 0;
}

int spt_moduli_read(spt_moduli *m, const spb_env *env, spb_span text)
{
    size_t room = text.length / 2 + 3 * PRIME_MAX;

    *m = (spt_moduli){NULL, 0, NULL};
    m->bytes = spb_alloc(env, room);
    if (m->bytes == NULL)
        return SP_ENOMEM;
    int result = read_text(m, env, text);
    if (result == 0 && m->count == 0)
        result = use_built_in(m, env);
    return result;
}

void spt_moduli_free(spt_moduli *m, const spb_env *env)
{
    spb_free(env, m->items);
    spb_free(env, m->bytes);
    *m = (spt_moduli){NULL, 0, NULL};
}

/* ---- the choice ---- */

/* The size that serves best; 0: none. */
static unsigned best_size(const spt_moduli *m, uint32_t least, uint32_t wanted, uint32_t most)
{
    unsigned best = 0;

    for (size_t i = 0; i < m->count; i++) {
        unsigned bits = m->items[i].bits;
        if (bits < least || bits > most)
            continue;
        bool enough = bits >= wanted;
        if (best == 0 || (best < wanted ? bits > best : enough && bits < best))
            best = bits;
    }
    return best;
}

const spt_modulus *spt_moduli_choose(const spt_moduli *m, const spb_env *env, uint32_t least,
                                     uint32_t wanted, uint32_t most, bool *good)
{
    unsigned best = best_size(m, least, wanted, most);
    uint32_t same = 0;
    uint8_t random[4];

    *good = true;
    for (size_t i = 0; i < m->count; i++)
        same += m->items[i].bits == best ? 1 : 0;
    if (best == 0 || same == 0)
        return NULL;
    *good = spc_random(env, random, sizeof random);
    /* 2^32 is no multiple of the count; that one of them comes a little more often does no harm. */
    uint32_t pick = *good ? spb_get_u32(random) % same : 0;
    for (size_t i = 0; *good && i < m->count; i++) {
        if (m->items[i].bits == best && pick-- == 0)
            return &m->items[i];
    }
    return NULL;
}
