/* energy/energy.c - arithmetic on energies: sums, differences and ratios that keep the independent
 * and the common part of the uncertainty apart (JCGM 100:2008, 5.1.2 and 5.2.2: uncorrelated inputs
 * add in quadrature, fully correlated ones linearly with the sign of their sensitivity).
 */
#include "energy/ratio.h"

#include "core/hash.h"
#include "energy/quadrature.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

double pj_energy_u(const struct pj_energy *energy)
{
    return pji_quadrature(energy->u_ind_j, energy->u_com_j);
}

/* Part of every format that carries energies: only ever added to. */
static const struct {
    uint32_t flag;
    const char *name;
} quality_names[] = {
    {PJ_QUALITY_WRAP, "wrap"},       {PJ_QUALITY_BRIDGED, "bridged"},
    {PJ_QUALITY_RESET, "reset"},     {PJ_QUALITY_AMBIGUOUS, "ambiguous"},
    {PJ_QUALITY_EDGE, "edge"},       {PJ_QUALITY_STALLED, "stalled"},
    {PJ_QUALITY_CAPPED, "capped"},   {PJ_QUALITY_PARTIAL, "partial"},
    {PJ_QUALITY_SUSPEND, "suspend"},
};

const char *pj_quality_name(uint32_t flag)
{
    for (size_t i = 0; i < sizeof quality_names / sizeof quality_names[0]; i++) {
        if (quality_names[i].flag == flag) {
            return quality_names[i].name;
        }
    }
    return NULL;
}

bool pj_energy_valid(const struct pj_energy *energy)
{
    return energy->origin != PJ_ORIGIN_MISSING;
}

const char *pj_origin_name(enum pj_origin origin)
{
    switch (origin) {
    case PJ_ORIGIN_MISSING:
        return "missing";
    case PJ_ORIGIN_COUNTER:
        return "counter";
    case PJ_ORIGIN_INTEGRATED:
        return "integrated";
    case PJ_ORIGIN_MODELLED:
        return "modelled";
    case PJ_ORIGIN_CONSTANT:
        return "constant";
    }
    return "missing";
}

/* Copies with an explicit cut; reasons are sentences for people, so a cut end is harmless. */
static void copy_cut(char *out, size_t size, const char *text)
{
    size_t len = strnlen(text, size - 1);
    memmove(out, text, len);
    out[len] = '\0';
}

void pji_energy_missing(struct pj_energy *out, const char *reason)
{
    *out = (struct pj_energy){.origin = PJ_ORIGIN_MISSING};
    copy_cut(out->reason, sizeof out->reason, reason);
}

/* ---- instrument identities ----
 *
 * A sum's com_id is the sorted set of its parts', joined by '+'. An identity of the form
 * "CLASS@INSTANCE" says that instruments of one class share an unknown part of their common error
 * (their design) while another part is each one's own. How large each part is nobody states, so of
 * "shared" and "independent" the larger one is taken: linear in sums, in quadrature in differences
 * and ratios, where nothing cancels. Several instances of a class in one sum are "CLASS@*", or with
 * what their instances begin with alike, up to a colon (a machine), "CLASS@MACHINE:*".
 */

static size_t token_len(const char *token)
{
    return strcspn(token, "+");
}

static const char *token_next(const char *token)
{
    const char *end = token + token_len(token);
    return *end != '\0' ? end + 1 : end;
}

static int token_compare(const char *a, const char *b)
{
    size_t na = token_len(a), nb = token_len(b);
    int order = memcmp(a, b, na < nb ? na : nb);
    if (order != 0) {
        return order;
    }
    return na < nb ? -1 : na > nb;
}

/* Length of the class in a token, 0 when it has none. */
static size_t class_len(const char *token)
{
    size_t len = strcspn(token, "@+");
    return token[len] == '@' ? len : 0;
}

static bool tokens_share(const char *a, const char *b)
{
    size_t na = class_len(a), nb = class_len(b);
    return token_compare(a, b) == 0 || (na > 0 && na == nb && memcmp(a, b, na) == 0);
}

/* Whether the two sums share an instrument, or have instruments of one class. */
static bool ids_overlap(const char *a, const char *b)
{
    for (const char *x = a; *x != '\0'; x = token_next(x)) {
        for (const char *y = b; *y != '\0'; y = token_next(y)) {
            if (tokens_share(x, y)) {
                return true;
            }
        }
    }
    return false;
}

static bool id_is_joint(const char *id)
{
    return strpbrk(id, "+*") != NULL || strncmp(id, "sum:", 4) == 0;
}

/* Length of the class and of what two instances of it begin with alike. */
static size_t shared_len(const char *a, const char *b)
{
    size_t len = class_len(a) + 1, end = len;
    while (a[end] == b[end] && a[end] != '\0' && a[end] != '+') {
        end++;
        if (a[end - 1] == ':') {
            len = end;
        }
    }
    return len;
}

static void ids_join(char out[PJ_COM_ID], const char *a, const char *b)
{
    char joined[2 * PJ_COM_ID + 2] = "";
    size_t len = 0;
    while (*a != '\0' || *b != '\0') {
        int order = *a == '\0' ? 1 : *b == '\0' ? -1 : token_compare(a, b);
        bool several = *a != '\0' && *b != '\0' && order != 0 && tokens_share(a, b);
        order = several ? 0 : order;
        const char *token = order <= 0 ? a : b;
        size_t n = several ? shared_len(a, b) : token_len(token);
        if (len > 0) {
            joined[len++] = '+';
        }
        memcpy(joined + len, token, n);
        len += n;
        if (several) {
            joined[len++] = '*';
        }
        a = order <= 0 ? token_next(a) : a;
        b = order >= 0 ? token_next(b) : b;
    }
    joined[len] = '\0';
    if (len < PJ_COM_ID) {
        memcpy(out, joined, len + 1);
    } else {
        snprintf(out, PJ_COM_ID, "sum:%016llx",
                 (unsigned long long)pji_fnv1a(PJI_FNV1A_START, joined, len));
    }
}

/* ---- sums and differences ---- */

static enum pj_origin weakest(enum pj_origin a, enum pj_origin b)
{
    return a > b ? a : b;
}

static void add_missing(struct pj_energy *sum, const struct pj_energy *part)
{
    sum->quality |= PJ_QUALITY_PARTIAL | part->quality;
    if (sum->reason[0] == '\0') {
        memcpy(sum->reason, part->reason, sizeof sum->reason);
    }
}

void pji_energy_add(struct pj_energy *sum, const struct pj_energy *part)
{
    if (part->origin == PJ_ORIGIN_MISSING) {
        add_missing(sum, part);
        return;
    }
    if (sum->origin == PJ_ORIGIN_MISSING) {
        struct pj_energy before = *sum;
        *sum = *part;
        sum->quality |= before.quality;
        if (before.reason[0] != '\0') {
            memcpy(sum->reason, before.reason, sizeof sum->reason);
        }
        return;
    }
    /* one instrument in both: its error is common; where it is only a part of a sum, its share is
     * not known any more and linear addition is the upper bound */
    bool common = strcmp(sum->com_id, part->com_id) == 0 || ids_overlap(sum->com_id, part->com_id);
    sum->value_j += part->value_j;
    sum->u_ind_j = pji_quadrature(sum->u_ind_j, part->u_ind_j);
    if (common) {
        sum->u_com_j += part->u_com_j;
        sum->u_gain_j += part->u_gain_j;
    } else {
        sum->u_com_j = pji_quadrature(sum->u_com_j, part->u_com_j);
        sum->u_gain_j = pji_quadrature(sum->u_gain_j, part->u_gain_j);
    }
    sum->u_gain_j = fmin(sum->u_gain_j, sum->u_com_j);
    sum->origin = weakest(sum->origin, part->origin);
    sum->quality |= part->quality;
    char joined[PJ_COM_ID];
    ids_join(joined, sum->com_id, part->com_id);
    memcpy(sum->com_id, joined, sizeof joined);
    if (sum->reason[0] == '\0') {
        memcpy(sum->reason, part->reason, sizeof sum->reason);
    }
}

double pji_energy_rest(const struct pj_energy *energy)
{
    double square = energy->u_com_j * energy->u_com_j - energy->u_gain_j * energy->u_gain_j;
    return square > 0 ? sqrt(square) : 0;
}

bool pji_energy_same_instrument(const struct pj_energy *a, const struct pj_energy *b)
{
    return a->com_id[0] != '\0' && !id_is_joint(a->com_id) && strcmp(a->com_id, b->com_id) == 0;
}

bool pji_energy_same_class(const struct pj_energy *a, const struct pj_energy *b)
{
    if (pji_energy_same_instrument(a, b)) {
        return true;
    }
    return a->com_id[0] != '\0' && !id_is_joint(a->com_id) && b->com_id[0] != '\0' &&
           !id_is_joint(b->com_id) && tokens_share(a->com_id, b->com_id);
}

void pji_energy_sub(struct pj_energy *out, const struct pj_energy *a, const struct pj_energy *b)
{
    if (a->origin == PJ_ORIGIN_MISSING || b->origin == PJ_ORIGIN_MISSING) {
        const struct pj_energy *missing = a->origin == PJ_ORIGIN_MISSING ? a : b;
        struct pj_energy result = {.quality = a->quality | b->quality};
        copy_cut(result.reason, sizeof result.reason, missing->reason);
        *out = result;
        return;
    }
    struct pj_energy result = *a;
    result.value_j = a->value_j - b->value_j;
    result.u_ind_j = pji_quadrature(a->u_ind_j, b->u_ind_j);
    if (pji_energy_same_instrument(a, b)) {
        result.u_gain_j = fabs(a->u_gain_j - b->u_gain_j);
        result.u_com_j = pji_quadrature(result.u_gain_j, pji_energy_rest(a) - pji_energy_rest(b));
    } else {
        result.u_gain_j = pji_quadrature(a->u_gain_j, b->u_gain_j);
        result.u_com_j = pji_quadrature(a->u_com_j, b->u_com_j);
        ids_join(result.com_id, a->com_id, b->com_id);
    }
    result.origin = weakest(a->origin, b->origin);
    result.quality = a->quality | b->quality;
    if (result.reason[0] == '\0') {
        memcpy(result.reason, b->reason, sizeof result.reason);
    }
    *out = result;
}
