/* core/log.h - words for people go through a sink that a main() sets up; rooms never print. A NULL
 * log is silent. The sink may be called from several threads: it must lock itself.
 */
#ifndef PJI_CORE_LOG_H
#define PJI_CORE_LOG_H

enum pji_log_level { PJI_LOG_ERROR, PJI_LOG_WARNING, PJI_LOG_INFO, PJI_LOG_DEBUG };

struct pji_log {
    void (*write)(void *context, enum pji_log_level level, const char *text);
    void *context;
};

void pji_log(const struct pji_log *log, enum pji_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
