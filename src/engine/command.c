/* engine/command.c - any program, run once for each trial: `engine: {kind: command, run: [argv]}`.
 * (With `protocol: jsonl` it answers items instead: command_lines.c.)
 *
 * The program runs in the folder of the study file, so that relative paths in `run` mean the same
 * wherever perjoule was called from. Its environment is perjoule's plus env->env: the trial's
 * factor levels as PERJOULE_FACTOR_<NAME> and what else the runner adds. Its output goes to the
 * trial's log. It is forked in start and waits, so that the meter has its baseline before the first
 * instruction, and execs in run. What it leaves running is ended by stop.
 */
#include "engine/keeper.h"
#include "engine/kinds.h"

#include <stdlib.h>

struct command {
    struct pji_engine_env env;
    bool used; /* env is set */
    struct pji_keeper keeper;
};

const char *const pji_command_keys[] = {"run", "protocol", NULL};
static const char *const list_keys[] = {"run", NULL};

pj_status pji_command_check(const struct pji_setting *settings, size_t n, struct pj_error *err)
{
    pj_status rc = pji_setting_keys(settings, n, pji_command_keys, list_keys, err);
    if (rc)
        return rc;
    const struct pji_setting *run = pji_setting_find(settings, n, "run");
    if (run == NULL)
        return pji_fail(err, PJ_EINVAL,
                        "engine kind 'command' needs 'run: [program, argument, …]'");
    if (!run->is_list)
        return pji_fail(err, PJ_EINVAL,
                        "engine setting 'run' must be a list: write run: [sh, -c, \"…\"] for a "
                        "shell line");
    if (run->values[0][0] == '\0')
        return pji_fail(err, PJ_EINVAL, "the program in engine setting 'run' is empty");
    return PJ_OK;
}

pj_status pji_command_preflight(const struct pji_setting *settings, size_t n,
                                const struct pji_engine_env *env, struct pj_error *err)
{
    const struct pji_setting *run = pji_setting_find(settings, n, "run");
    return run != NULL ? pji_process_find(env->study_dir, run->values[0], err) : PJ_OK;
}

static pj_status command_start(void *state, const struct pji_setting *settings, size_t n,
                               const struct pji_engine_env *env, struct pj_error *err)
{
    struct command *command = state;
    pji_keeper_init(&command->keeper);
    command->env = *env;
    command->used = true;
    pj_status rc = pji_command_check(settings, n, err);
    if (rc)
        return rc;
    const struct pji_setting *run = pji_setting_find(settings, n, "run");
    const char **argv = pji_setting_argv(run, 0, err);
    if (argv == NULL)
        return PJ_ENOMEM;
    struct pji_keeper_spawn how = {
        .keeper_argv = env->keeper_argv,
        .argv = argv,
        .env = env->env,
        .cwd = env->study_dir,
        .log_path = env->log_path,
        .grace_ns = env->stop_grace_ns,
        .on_process = env->on_process,
        .context = env->context,
    };
    rc = pji_keeper_spawn(&command->keeper, &how, err);
    free(argv);
    return rc;
}

static pj_status command_run(void *state, int64_t *start_ns, int64_t *end_ns, int *exit_code,
                             struct pj_error *err)
{
    struct command *command = state;
    pj_status rc = pji_keeper_release(&command->keeper, start_ns, err);
    if (rc)
        return rc;
    int64_t limit_ns = command->env.run_limit_ns > 0 ? command->env.run_limit_ns : INT64_MAX;
    rc = pji_keeper_wait(&command->keeper, limit_ns, command->env.stop_fd, err);
    if (rc)
        return rc;
    *end_ns = command->keeper.exit_ns;
    *exit_code = pji_process_exit_code(command->keeper.wait_status);
    return PJ_OK;
}

static pj_status command_facts(void *state, pji_fact_fn *fn, void *context, struct pj_error *err)
{
    (void)state;
    return pji_fact(fn, context, "engine.kind", "command", err);
}

static pj_status command_stop(void *state, struct pj_error *err)
{
    struct command *command = state;
    if (!command->used) /* never started */
        return PJ_OK;
    return pji_keeper_stop(&command->keeper, command->env.stop_grace_ns, err);
}

const struct pji_engine_ops pji_engine_command = {
    .kind = "command",
    .about = "any program, run once for each trial in the study's folder",
    .state_size = sizeof(struct command),
    .is_command = true,
    .keys = pji_command_keys,
    .check = pji_command_check,
    .preflight = pji_command_preflight,
    .start = command_start,
    .run = command_run,
    .facts = command_facts,
    .stop = command_stop,
};
