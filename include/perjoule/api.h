/* perjoule/api.h - what is exported. Everything else in libperjoule is hidden; tools/symbols lists
 * the exported names and tools/check-symbols holds the library against it.
 */
#ifndef PERJOULE_API_H
#define PERJOULE_API_H

#if defined(__GNUC__)
#define PJ_API __attribute__((visibility("default")))
#else
#define PJ_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Version of the library at run time, "0.1.0"; a static string. */
PJ_API const char *pj_version(void);

#ifdef __cplusplus
}
#endif
#endif
