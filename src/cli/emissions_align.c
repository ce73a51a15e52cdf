/* Two passes: fits[i][k] says whether the fields from k on can be laid on the columns from i on,
 * leaving out what may lack. Then the alignment that assigns as early and the one that assigns as
 * late as possible bound all others: a field that has the same column in both has it in every one.
 */
#include "cli/emissions_align.h"

#include "core/num.h"

#include <ctype.h>
#include <string.h>

enum { SIDE = PJI_EMISSIONS_COLUMNS + 1 };

struct aligner {
    const struct pji_emissions_order *order;
    const char *const *fields;
    size_t n;
    bool wide;
    bool fits[SIDE][SIDE];
};

static bool looks_like_time(const char *text)
{
    static const char shape[] = "dddd-dd-ddTdd:dd:dd";

    for (size_t i = 0; shape[i]; i++) {
        if (shape[i] == 'd' ? !isdigit((unsigned char)text[i]) : text[i] != shape[i])
            return false;
    }
    return true;
}

static bool looks_like_country(const char *text)
{
    return strlen(text) == 3 && isupper((unsigned char)text[0]) &&
           isupper((unsigned char)text[1]) && isupper((unsigned char)text[2]);
}

static bool is_number(const char *text)
{
    double value;

    return pji_num_parse(text, strlen(text), &value, NULL) == PJ_OK;
}

static bool looks_right(enum pji_emissions_kind kind, const char *text)
{
    if (!text[0])
        return true;
    switch (kind) {
    case PJI_EMISSIONS_TEXT:
        break;
    case PJI_EMISSIONS_NUMBER:
        return is_number(text);
    case PJI_EMISSIONS_TIME:
        return looks_like_time(text);
    case PJI_EMISSIONS_COUNTRY:
        return looks_like_country(text);
    case PJI_EMISSIONS_MODE:
        return strcmp(text, "machine") == 0 || strcmp(text, "process") == 0;
    case PJI_EMISSIONS_YES:
        return strcmp(text, "Y") == 0 || strcmp(text, "N") == 0 || strcmp(text, "True") == 0 ||
               strcmp(text, "False") == 0;
    }
    return true;
}

/* Columns that CodeCarbon leaves without a value: those that an offline run without a GPU does not
 * know, and, only where these do not explain a row, others that a machine may not tell. */
static const char *const usual[] = {"region",    "cloud_provider", "cloud_region", "gpu_count",
                                    "gpu_model", "longitude",      "latitude",     NULL};
static const char *const unusual[] = {
    "experiment_id", "country_name", "country_iso_code", "cpu_count", "cpu_model", "wue", NULL};

static bool is_one_of(const char *const *names, const char *name)
{
    for (; *names; names++) {
        if (strcmp(*names, name) == 0)
            return true;
    }
    return false;
}

static bool may_lack(const struct aligner *a, const char *name)
{
    return is_one_of(usual, name) || (a->wide && is_one_of(unusual, name));
}

static bool can_take(const struct aligner *a, size_t i, size_t k)
{
    return i < a->order->n && k < a->n && a->fits[i + 1][k + 1] &&
           looks_right(pji_emissions_columns[a->order->columns[i]].kind, a->fields[k]);
}

static bool can_skip(const struct aligner *a, size_t i, size_t k)
{
    return i < a->order->n && a->fits[i + 1][k] &&
           may_lack(a, pji_emissions_columns[a->order->columns[i]].name);
}

static void fill(struct aligner *a)
{
    a->fits[a->order->n][a->n] = true;
    for (size_t i = a->order->n; i-- > 0;) {
        for (size_t k = a->n + 1; k-- > 0;)
            a->fits[i][k] = can_take(a, i, k) || can_skip(a, i, k);
    }
}

static void walk(const struct aligner *a, bool early, int field_of[PJI_EMISSIONS_COLUMNS])
{
    size_t k = 0;

    for (size_t i = 0; i < a->order->n; i++) {
        bool take = can_take(a, i, k) && (early || !can_skip(a, i, k));

        field_of[i] = take ? (int)k++ : -1;
    }
}

bool pji_emissions_align(const struct pji_emissions_order *order, const char *const *fields,
                         size_t n, int field_of[PJI_EMISSIONS_COLUMNS])
{
    struct aligner a = {.order = order, .fields = fields, .n = n};
    int late[PJI_EMISSIONS_COLUMNS] = {0};

    if (n > order->n)
        return false;
    for (size_t i = 0; i < order->n && n == order->n; i++)
        field_of[i] = (int)i;
    if (n == order->n)
        return true;
    fill(&a);
    if (!a.fits[0][0]) {
        a.wide = true;
        fill(&a);
    }
    if (!a.fits[0][0])
        return false;
    walk(&a, true, field_of);
    walk(&a, false, late);
    for (size_t i = 0; i < order->n; i++) {
        if (field_of[i] != late[i])
            field_of[i] = -1;
    }
    return true;
}
