/* report/page.h - the fixed texts of report.html (room-internal). */
#ifndef PJI_REPORT_PAGE_H
#define PJI_REPORT_PAGE_H

extern const char pji_page_style[];
extern const char pji_page_script[]; /* made from page.ts by tools/page-script */

#endif
