/* The time of the option expiry-time (sshd(8) AUTHORIZED_KEYS FILE FORMAT). */
#include "key/key_options.h"

#include <string.h>
#include <time.h>

static bool leap(unsigned year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static unsigned days_in(unsigned year, unsigned month)
{
    static const unsigned char days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return month == 2 && leap(year) ? 29 : days[month - 1];
}

static uint64_t days_since_1970(unsigned year, unsigned month, unsigned day)
{
    uint64_t days = day - 1;

    for (unsigned y = 1970; y < year; y++)
        days += leap(y) ? 366 : 365;
    for (unsigned m = 1; m < month; m++)
        days += days_in(year, m);
    return days;
}

static unsigned digits(const char *text, size_t count)
{
    unsigned value = 0;

    for (size_t i = 0; i < count; i++)
        value = 10 * value + (unsigned)(text[i] - '0');
    return value;
}

bool spk_expiry_time(const char *text, uint64_t *seconds)
{
    size_t length = strlen(text);
    size_t count = strspn(text, "0123456789");
    bool utc = length == count + 1 && (text[count] == 'Z' || text[count] == 'z');

    if ((count != 8 && count != 12 && count != 14) || length != count + (utc ? 1 : 0))
        return false;
    unsigned year = digits(text, 4), month = digits(text + 4, 2), day = digits(text + 6, 2);
    unsigned hour = count > 8 ? digits(text + 8, 2) : 0;
    unsigned minute = count > 8 ? digits(text + 10, 2) : 0;
    unsigned second = count > 12 ? digits(text + 12, 2) : 0;
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > days_in(year, month) ||
        hour > 23 || minute > 59 || second > 59)
        return false;
    if (utc) {
        *seconds = days_since_1970(year, month, day) * 86400 + hour * UINT64_C(3600) +
                   minute * UINT64_C(60) + second;
        return true;
    }
    struct tm local = {.tm_year = (int)year - 1900,
                       .tm_mon = (int)month - 1,
                       .tm_mday = (int)day,
                       .tm_hour = (int)hour,
                       .tm_min = (int)minute,
                       .tm_sec = (int)second,
                       .tm_isdst = -1};
    time_t t = mktime(&local);
    if (t < 0)
        return false;
    *seconds = (uint64_t)t;
    return true;
}
