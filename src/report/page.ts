// page.ts - the script of report.html: tables sort by a click on a heading, a button switches
// between light and dark. Without it the page says the same.
// tools/page-script makes page_script.c of this file by taking the types out; a test holds the two
// together. Types are names, written ": Type" or "as Type", so that this needs no compiler.
(() => {
  const root: HTMLElement = document.documentElement;
  const button = document.getElementById("theme") as HTMLButtonElement;
  const system: MediaQueryList = matchMedia("(prefers-color-scheme: dark)");
  button.hidden = false;
  button.addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : system.matches;
    root.dataset.theme = dark ? "light" : "dark";
  });

  const number = /^[^0-9a-z]*?(-?[0-9]+(\.[0-9]+)?(e[-+]?[0-9]+)?)/i;
  // Rows without a number go last in either direction.
  const compare = (a: string, b: string, sign: number): number => {
    const x = number.exec(a), y = number.exec(b);
    if (x && y) return sign * (Number(x[1]) - Number(y[1]) || a.localeCompare(b));
    if (x || y) return x ? -1 : 1;
    return sign * a.localeCompare(b);
  };
  const sort = (head: HTMLTableCellElement): void => {
    const table = head.closest("table") as HTMLTableElement;
    const rows = Array.from(table.tBodies[0].rows);
    const up = head.getAttribute("aria-sort") !== "ascending";
    const text = (row: HTMLTableRowElement): string => row.cells[head.cellIndex].textContent + "";
    rows.sort((a, b) => compare(text(a), text(b), up ? 1 : -1));
    rows.forEach((row) => table.tBodies[0].append(row));
    table.querySelectorAll("th").forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
  };
  document.querySelectorAll("th").forEach((head) => {
    head.tabIndex = 0;
    head.addEventListener("click", () => sort(head));
    head.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      sort(head);
    });
  });
})();
