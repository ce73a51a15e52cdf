/* cli/commands_lab.h - the subcommands of perjoule-lab: one file cmd_<name>.c for each, one row in
 * main_lab.c.
 */
#ifndef PJI_CLI_COMMANDS_LAB_H
#define PJI_CLI_COMMANDS_LAB_H

#include "cli/options.h"

extern const struct pji_command pji_cmd_agent;
extern const struct pji_command pji_cmd_audit;
extern const struct pji_command pji_cmd_check;
extern const struct pji_command pji_cmd_import_raw;
extern const struct pji_command pji_cmd_run;
extern const struct pji_command pji_cmd_resume;
extern const struct pji_command pji_cmd_status;
extern const struct pji_command pji_cmd_export;
extern const struct pji_command pji_cmd_extend;
extern const struct pji_command pji_cmd_report;
extern const struct pji_command pji_cmd_verify;
extern const struct pji_command pji_cmd_analyse;

#endif
