#include "analysis/roles.h"

#include "core/num.h"
#include "core/str.h"

#include <stdio.h>
#include <string.h>

struct rule {
    const char *wanted; /* for messages */
    const char *const *names;
};

static const char *const unit_names[] = {"run", "unit", "cell", "subject", "session", NULL};
static const char *const repetition_names[] = {"repetition", "rep", "replicate", "repeat", NULL};
static const char *const order_names[] = {"start_utc", "started",   "start",      "start_time",
                                          "timestamp", "order",     "position",   "sequence",
                                          "trial",     "run_order", "started_at", NULL};
static const char *const temperature_names[] = {"temperature", "temperature_c",     "start_temp_c",
                                                "temp_c",      "gpu_temp_c",        "temp",
                                                "temp_start",  "temperature_start", NULL};
static const char *const digest_names[] = {
    "output_sha256", "outputs_sha256", "output_digest", "output",
    "answer",        "digest",         "sha256",        NULL};
static const char *const tokens_names[] = {"tokens", "output_tokens", "response_tokens", NULL};
static const char *const origin_names[] = {"energy_origin", "origin", NULL};
static const char *const u_com_names[] = {"u_com", NULL};
static const char *const com_id_names[] = {"com_id", "instrument", NULL};
static const char *const accuracy_names[] = {"accuracy", NULL};
static const char *const baseline_names[] = {
    "majority_baseline", "trivial_baseline", "accuracy_baseline", "baseline", "majority", NULL};
static const char *const state_names[] = {"state", "__done", "status", "valid", NULL};

static const struct rule rules[PJI_ROLES] = {
    [PJI_ROLE_UNIT] = {"'run' or 'unit'", unit_names},
    [PJI_ROLE_REPETITION] = {"'repetition'", repetition_names},
    [PJI_ROLE_ORDER] = {"'start_utc', 'timestamp' or 'order'", order_names},
    [PJI_ROLE_TEMPERATURE] = {"'temperature' or '…temp_c'", temperature_names},
    [PJI_ROLE_DIGEST] = {"'output_sha256'", digest_names},
    [PJI_ROLE_TOKENS] = {"'tokens'", tokens_names},
    [PJI_ROLE_ORIGIN] = {"'<response>_origin' or 'origin'", origin_names},
    [PJI_ROLE_U_COM] = {"'<response>_u_com'", u_com_names},
    [PJI_ROLE_COM_ID] = {"'<response>_com_id'", com_id_names},
    [PJI_ROLE_ACCURACY] = {"'accuracy'", accuracy_names},
    [PJI_ROLE_BASELINE] = {"'majority_baseline'", baseline_names},
    [PJI_ROLE_STATE] = {"'state' or '__done'", state_names},
};

const char *pji_role_wanted(enum pji_role role)
{
    return rules[role].wanted;
}

static size_t exact(const struct pji_table *table, const char *name)
{
    for (size_t c = 0; c < table->cols; c++) {
        if (strcmp(table->column[c], name) == 0)
            return c;
    }
    return PJI_NO_COLUMN;
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text);
    size_t m = strlen(end);
    return n > m && strcmp(text + n - m, end) == 0;
}

/* the name itself, else a column of one task: "task.name" or "…_name" */
static size_t find_role(const struct pji_table *table, const struct rule *rule)
{
    for (size_t i = 0; rule->names[i]; i++) {
        size_t col = exact(table, rule->names[i]);
        if (col != PJI_NO_COLUMN)
            return col;
    }
    for (size_t i = 0; rule->names[i]; i++) {
        char dotted[64];
        char joined[64];
        snprintf(dotted, sizeof dotted, ".%s", rule->names[i]);
        snprintf(joined, sizeof joined, "_%s", rule->names[i]);
        for (size_t c = 0; c < table->cols; c++) {
            if (ends_with(table->column[c], dotted) || ends_with(table->column[c], joined))
                return c;
        }
    }
    return PJI_NO_COLUMN;
}

/* a column that belongs to the response: <response>_origin */
static size_t companion(const struct pji_table *table, size_t response, const char *suffix)
{
    struct pji_str name = {0};
    pji_str_addf(&name, "%s_%s", table->column[response], suffix);
    size_t col = exact(table, pji_str_text(&name));
    pji_str_fini(&name);
    return col;
}

/* an origin "of the energy" says nothing about a duration */
static bool is_energy(const char *name)
{
    static const char *const words[] = {"energy", "joule", "power", "j_per_", "watt"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strstr(name, words[i]))
            return true;
    }
    return ends_with(name, "_j") || ends_with(name, "_w");
}

/* 0/1 and yes/no are judged; any other word counts as fit only when it says so */
bool pji_role_state_ok(const char *state)
{
    static const char *const fit[] = {"done", "DONE", "Done", "valid", "ok", "OK",
                                      "true", "True", "TRUE", "1",     "yes"};
    for (size_t i = 0; i < sizeof fit / sizeof *fit; i++) {
        if (strcmp(state, fit[i]) == 0)
            return true;
    }
    return false;
}

static bool has_role(const struct pji_roles *roles, size_t col)
{
    for (size_t r = 0; r < PJI_ROLES; r++) {
        if (roles->column[r] == col)
            return true;
    }
    return false;
}

/* names of columns that number or mark rows: never factors */
static bool bookkeeping(const char *name)
{
    static const char *const words[] = {"reason", "attempt", "flags", "block", "seed", "id", NULL};
    for (size_t i = 0; words[i]; i++) {
        if (strcmp(name, words[i]) == 0)
            return true;
    }
    return name[0] == '_' || ends_with(name, "_origin") || ends_with(name, "_id") ||
           ends_with(name, "_u");
}

/* also with a decimal comma, which is then text to everyone else */
static bool is_number(const char *cell)
{
    double x;
    size_t len = strlen(cell);
    return !pji_num_parse(cell, len, &x, NULL) || !pji_num_parse_comma(cell, len, &x, NULL);
}

/* few levels, each repeated; numbers only when they are few */
static pj_status looks_like_factor(const struct pji_frame *frame, size_t col, bool *yes,
                                   struct pj_error *err)
{
    struct pji_factor f;
    *yes = false;
    bool numeric = true;
    for (size_t i = 0; i < frame->n; i++) {
        const char *cell = pji_table_cell(frame->table, frame->row[i], col);
        if (pji_table_missing(cell))
            return PJ_OK;
        numeric = numeric && is_number(cell);
    }
    pj_status rc = pji_frame_factor(frame, col, NULL, &f, err);
    if (rc)
        return rc;
    *yes = f.k >= 2 && (numeric ? f.k <= 8 && frame->n >= 4 * f.k : 3 * f.k <= frame->n);
    pji_factor_fini(&f);
    return PJ_OK;
}

static pj_status recognise(struct pji_roles *roles, const struct pji_frame *frame, size_t response,
                           struct pj_error *err)
{
    pj_status rc = PJ_OK;
    for (size_t c = 0; !rc && c < frame->table->cols && roles->designs < PJI_DESIGN_COLUMNS; c++) {
        bool yes = false;
        if (c == response || has_role(roles, c) || bookkeeping(frame->table->column[c]))
            continue;
        rc = looks_like_factor(frame, c, &yes, err);
        if (!rc && yes)
            roles->design[roles->designs++] = c;
    }
    return rc;
}

pj_status pji_roles_find(struct pji_roles *roles, const struct pji_frame *frame, size_t response,
                         const char *const *named, size_t n_named, struct pj_error *err)
{
    const struct pji_table *table = frame->table;
    *roles = (struct pji_roles){.designs = 0};
    for (size_t r = 0; r < PJI_ROLES; r++)
        roles->column[r] = find_role(table, &rules[r]);
    static const struct {
        enum pji_role role;
        const char *suffix;
    } own[] = {{PJI_ROLE_ORIGIN, "origin"}, {PJI_ROLE_U_COM, "u_com"}, {PJI_ROLE_COM_ID, "com_id"}};
    for (size_t i = 0; i < 3; i++) {
        size_t col = companion(table, response, own[i].suffix);
        if (col != PJI_NO_COLUMN)
            roles->column[own[i].role] = col;
    }
    size_t origin = roles->column[PJI_ROLE_ORIGIN];
    if (origin != PJI_NO_COLUMN && strcmp(table->column[origin], "origin") != 0 &&
        origin != companion(table, response, "origin") && !is_energy(table->column[response]))
        roles->column[PJI_ROLE_ORIGIN] = PJI_NO_COLUMN;
    /* the response is what is explained, whatever its name */
    for (size_t r = 0; r < PJI_ROLES; r++) {
        if (roles->column[r] == response && r != PJI_ROLE_ACCURACY && r != PJI_ROLE_TOKENS)
            roles->column[r] = PJI_NO_COLUMN;
    }
    for (size_t i = 0; i < n_named && roles->designs < PJI_DESIGN_COLUMNS; i++) {
        size_t col = exact(table, named[i]);
        if (col != PJI_NO_COLUMN)
            roles->design[roles->designs++] = col;
    }
    return n_named > 0 ? PJ_OK : recognise(roles, frame, response, err);
}
