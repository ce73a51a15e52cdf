/* report/html_style.c - how report.html looks: light and dark, on a phone (tables scroll inside
 * their own box, pictures too), on paper.
 */
#include "report/page.h"

#define DARK                                                                                       \
    "color-scheme:dark;--ink:#e8e8e8;--soft:#a8a8a8;--line:#444;--back:#161616;--lead:#1d2a3a;"    \
    "--warn:#3a2f14;--link:#8ec9f0"

const char pji_page_style[] =
    ":root{color-scheme:light;--ink:#1a1a1a;--soft:#5c5c5c;--line:#d5d5d5;--back:#fff;"
    "--lead:#eef4fb;--warn:#fff4dc;--link:#0b5a8f}\n"
    "@media(prefers-color-scheme:dark){:root:not([data-theme=light]){" DARK "}}\n"
    ":root[data-theme=dark]{" DARK "}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0 auto;padding:1rem;max-width:60rem;background:var(--back);color:var(--ink);"
    "font:16px/1.5 system-ui,sans-serif}\n"
    "h1{font-size:1.5rem;margin:.5rem 0;overflow-wrap:anywhere}"
    "h2{font-size:1.15rem;margin:2rem 0 .5rem;border-bottom:1px solid var(--line)}\n"
    "p{margin:.6rem 0;overflow-wrap:anywhere}\n"
    "#theme{float:right;font:inherit;color:inherit;background:none;border:1px solid var(--line);"
    "border-radius:.4rem;padding:.1rem .6rem;cursor:pointer}#theme[hidden]{display:none}\n"
    ".lead{background:var(--lead);padding:.8rem 1rem;border-radius:.4rem;font-size:1.1rem}\n"
    ".warn{background:var(--warn);padding:.6rem 1rem;border-radius:.4rem}\n"
    ".box{overflow-x:auto;margin:.6rem 0}\n"
    "table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums}\n"
    "caption{text-align:left;color:var(--soft);padding:.2rem 0;caption-side:top}\n"
    "th,td{padding:.3rem .7rem;border-bottom:1px solid var(--line);text-align:left;"
    "vertical-align:top;overflow-wrap:break-word;max-width:32rem}\n"
    "th{border-bottom:2px solid var(--line);cursor:pointer}"
    "th[aria-sort=ascending]::after{content:\" \\2191\"}"
    "th[aria-sort=descending]::after{content:\" \\2193\"}\n"
    ".r{text-align:right;white-space:nowrap}\n"
    "a{color:var(--link)}a.n{color:inherit;text-decoration:underline dotted var(--soft);"
    "text-underline-offset:.2em}a.n:hover,a.n:focus{color:var(--link)}\n"
    ":target{background:var(--warn)}\n"
    "figure{margin:1rem 0}figure div{overflow-x:auto;background:#fff;border-radius:.4rem}"
    "figure img{display:block;width:100%;min-width:34rem;height:auto}\n"
    "figcaption{color:var(--soft);font-size:.9rem}\n"
    "dt{font-weight:600;margin-top:.5rem}dd{margin:0 0 0 1rem}\n"
    "pre{overflow-x:auto;padding:.6rem 1rem;border:1px solid var(--line);border-radius:.4rem}\n"
    "@media print{:root,:root[data-theme=dark]{color-scheme:light;--ink:#000;--soft:#444;"
    "--line:#999;--back:#fff;--lead:#fff;--warn:#fff;--link:#000}"
    "body{max-width:none;padding:0;font-size:9.5pt}.lead,.warn{border:1px solid #999}"
    "#theme{display:none}h2{break-after:avoid}tr,figure{break-inside:avoid}"
    "thead{display:table-header-group}.box{overflow:visible}table{font-size:8pt}"
    ".r{white-space:normal}th,td{padding:.15rem .4rem;overflow-wrap:anywhere}figure "
    "img{min-width:0}"
    "a,a.n{color:inherit;text-decoration:none}}\n";
