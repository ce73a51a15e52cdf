/* cli/commands_lean.h - the subcommands of the lean program: one file cmd_<name>.c each, one row
 * each in main_perjoule.c.
 */
#ifndef PJI_CLI_COMMANDS_LEAN_H
#define PJI_CLI_COMMANDS_LEAN_H

#include "cli/options.h"

extern const struct pji_command pji_cmd_devices;
extern const struct pji_command pji_cmd_doctor;
extern const struct pji_command pji_cmd_energibridge;
extern const struct pji_command pji_cmd_import;
extern const struct pji_command pji_cmd_measure;
extern const struct pji_command pji_cmd_model;
extern const struct pji_command pji_cmd_record;
extern const struct pji_command pji_cmd_replay;

#endif
