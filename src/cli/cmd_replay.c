/* perjoule replay: the energies of a recorded trace. The same code as for a live measurement, so
 * the same numbers on any machine; with --windows the energy of any stretch of it, after the fact.
 * The trace is read once, and memory does not grow with its length (energy/fold.h).
 */
#include "cli/commands_lean.h"
#include "cli/lean.h"
#include "cli/outcome.h"
#include "cli/run_series.h"
#include "cli/windows.h"
#include "core/units.h"
#include "energy/trace.h"

#include <stdlib.h>
#include <string.h>

static const struct pji_option options[] = {
    {"json", 'j', NULL, "print JSON"},
    {"windows", 'w', "FILE",
     "CSV file with the columns name, start_ns, end_ns (trace's clock; a row of names may lack)"},
    {"measured-only", 0, NULL, "leave modelled energy out of the totals"},
    {0},
};

/* From the first to the last point of any energy. */
static double covered_s(const struct pji_trace *trace)
{
    int64_t first_ns = INT64_MAX, last_ns = INT64_MIN;

    for (size_t i = 0; i < trace->header.n_channels; i++) {
        const struct pji_series *series = &trace->series[i];

        if (series->n == 0 || series->channel.role == PJI_ROLE_AUX)
            continue;
        if (series->points[0].t_ns < first_ns)
            first_ns = series->points[0].t_ns;
        if (series->points[series->n - 1].t_ns > last_ns)
            last_ns = series->points[series->n - 1].t_ns;
    }
    return first_ns <= last_ns ? pji_s_from_ns(last_ns - first_ns) : 0;
}

static const char *seal_name(enum pji_trace_seal seal)
{
    switch (seal) {
    case PJI_SEAL_NONE:
        return "none";
    case PJI_SEAL_INTACT:
        return "intact";
    case PJI_SEAL_BROKEN:
        return "broken";
    }
    return "none";
}

static void add_json(struct pji_str *out, const struct pji_trace *trace,
                     const struct pji_outcome *outcome, json_t *windows)
{
    json_t *object = pji_outcome_json(outcome);

    if (!object || json_object_set_new(object, "complete", json_boolean(trace->complete)) ||
        json_object_set_new(object, "torn", json_boolean(trace->torn)) ||
        json_object_set_new(object, "digest", json_string(seal_name(trace->footer.seal))) ||
        (windows && json_object_set(object, "windows", windows)))
        out->failed = true;
    pji_json_write(out, object, 2);
    pji_str_addc(out, '\n');
    json_decref(object);
}

/* What one pass over the trace gives. */
struct replayed {
    struct pji_trace trace;
    struct pji_run_series run;
    struct pji_windows windows;
    struct pji_trace_visitor visitors[2]; /* of the trace and of the run */
};

static pj_status describe(const struct pji_args *args, const struct replayed *replayed,
                          struct pji_str *out, struct pj_error *err)
{
    const struct pji_trace *trace = &replayed->trace;
    const struct pji_run_series *run = &replayed->run;
    bool of_run = run->start_ns && run->end_ns; /* `measure` wrote it: its totals are the run's */
    bool measured_only = pji_args_has(args, "measured-only");
    struct pji_outcome outcome = {.channels = trace->header.channels,
                                  .n = trace->header.n_channels,
                                  .missing = trace->header.missing,
                                  .n_missing = trace->header.n_missing,
                                  .wall_s = of_run ? pji_s_from_ns(run->end_ns - run->start_ns)
                                                   : covered_s(trace),
                                  .samples = trace->footer.samples,
                                  .late_ticks = trace->footer.late_ticks,
                                  .lateness = &trace->footer.lateness,
                                  .own_cpu_s = trace->footer.own_cpu_s,
                                  .child_status = -1};
    json_t *windows = NULL;
    pj_status status =
        pji_outcome_make(&outcome, of_run ? run->series : trace->series, measured_only, err);

    if (!status && pji_args_has(args, "windows"))
        status = pji_windows_energies(&windows, &replayed->windows, trace, measured_only, err);
    if (!status && pji_args_has(args, "json")) {
        add_json(out, trace, &outcome, windows);
    } else if (!status) {
        pji_outcome_text(&outcome, "", out);
        pji_windows_text(windows, out);
    }
    json_decref(windows);
    pji_outcome_fini(&outcome);
    return status;
}

/* ---- one pass ---- */

static pj_status on_header(void *context, const struct pji_trace_header *header,
                           struct pj_error *err)
{
    struct replayed *replayed = context;
    pj_status status = PJ_OK;

    for (size_t i = 0; i < 2 && !status; i++)
        status = replayed->visitors[i].header(replayed->visitors[i].context, header, err);
    return status;
}

static pj_status on_reading(void *context, const struct pji_reading *reading, struct pj_error *err)
{
    struct replayed *replayed = context;
    pj_status status = PJ_OK;

    for (size_t i = 0; i < 2 && !status; i++)
        status = replayed->visitors[i].reading(replayed->visitors[i].context, reading, err);
    return status;
}

static pj_status on_event(void *context, int64_t t_ns, const char *name, const json_t *fields,
                          struct pj_error *err)
{
    struct replayed *replayed = context;
    pj_status status = PJ_OK;

    for (size_t i = 0; i < 2 && !status; i++)
        status =
            replayed->visitors[i].event(replayed->visitors[i].context, t_ns, name, fields, err);
    return status;
}

static pj_status on_footer(void *context, const struct pji_trace_footer *footer,
                           struct pj_error *err)
{
    struct replayed *replayed = context;

    return replayed->visitors[0].footer(replayed->visitors[0].context, footer, err);
}

static pj_status load(struct replayed *replayed, const struct pji_args *args, struct pj_error *err)
{
    struct pji_trace_visitor visitor = {.context = replayed,
                                        .header = on_header,
                                        .reading = on_reading,
                                        .event = on_event,
                                        .footer = on_footer};
    struct pji_trace *trace = &replayed->trace;
    pj_status status;

    status = pji_windows_load(&replayed->windows, pji_args_get(args, "windows"), err);
    trace->thin = true;
    trace->edges_ns = replayed->windows.edges_ns;
    trace->n_edges = replayed->windows.n_edges;
    replayed->visitors[0] = pji_trace_builder(trace);
    replayed->visitors[1] = pji_run_series_visitor(&replayed->run);
    if (!status)
        status = pji_trace_visit(args->rest[0], &visitor, &trace->complete, &trace->torn, err);
    return status ? status : pji_run_series_finish(&replayed->run, err);
}

static void say_state(const struct pji_args *args, const struct pji_trace *trace)
{
    const char *path = args->rest[0];

    if (trace->torn)
        pji_lean_say(args, "the last line of '%s' was cut off and is left out", path);
    else if (!trace->complete)
        pji_lean_say(args, "'%s' has no footer: the recording was cut off", path);
    if (trace->footer.seal == PJI_SEAL_BROKEN)
        pji_lean_say(args,
                     "'%s' is not as it was written: the digest in its footer does not fit its "
                     "bytes; do not rely on these energies",
                     path);
}

static int replay(const struct pji_args *args)
{
    struct replayed replayed = {0};
    struct pji_str out = {0};
    struct pj_error err = {0};
    int code = pji_lean_check_rest(args, 1, 1, "no trace given");
    pj_status status;

    if (code)
        return code;
    status = load(&replayed, args, &err);
    if (!status) {
        say_state(args, &replayed.trace);
        status = describe(args, &replayed, &out, &err);
    }
    code = status ? pji_lean_failed(args, &err) : pji_lean_print(args, &out);
    if (!code && replayed.trace.footer.seal == PJI_SEAL_BROKEN)
        code = PJI_EXIT_INVALID;
    pji_str_fini(&out);
    pji_trace_fini(&replayed.trace);
    pji_run_series_fini(&replayed.run);
    pji_windows_fini(&replayed.windows);
    return code;
}

const struct pji_command pji_cmd_replay = {
    .name = "replay",
    .synopsis = "[--json] [--windows FILE] TRACE",
    .about = "compute the energies of a recorded trace",
    .details =
        "Gives the totals that `perjoule measure` gave when it wrote the trace, and with "
        "--windows the energy of each named stretch of time. A window outside the readings "
        "is missing, with the reason.\n\n"
        "A trace that was changed after it was written is found by the digest in its footer: "
        "the energies are printed all the same, and the exit code is 3. Memory does not grow "
        "with the length of the trace.",
    .options = options,
    .run = replay,
};
