// menu.js opens lists under what was pressed: the options of a select, an overflow, the people to be.
import { h } from "./dom.js";
import { icon } from "./icons.js";

const FILTER_FROM = 8; // options; a shorter list is seen at a glance

/**
 * openMenu shows a list and returns a function that closes it.
 * @param {Element} anchor what was pressed; the focus returns there
 * @param {Object} menu
 * @param {Array} menu.items {value, label: nodes, name: accessible name, note?: nodes, group?: title, selected?: bool, face?: Node}
 * @param {"listbox"|"menu"} menu.role
 * @param {string} menu.name accessible name of the list
 * @param {boolean} [menu.multi] stays open and ticks
 * @param {function(item)} menu.pick
 * @param {function()} [menu.closed]
 */
export function openMenu(anchor, menu) {
  // Inside of a dialog everything outside is inert, so the list must stand inside too.
  const host = anchor.closest("dialog") ?? document.body;
  const list = h("div", { class: "menu", role: menu.role, "aria-label": menu.name, "aria-multiselectable": menu.multi || null });
  const filter = menu.items.length >= FILTER_FROM
    ? h("input", { class: "menu-filter", type: "text", placeholder: "Search", "aria-label": `Search ${menu.name}`, oninput: () => draw() })
    : null;
  const rows = h("div", { class: "menu-rows", tabindex: filter ? null : "-1" });
  list.append(...[filter, rows].filter(Boolean));
  let active = Math.max(0, menu.items.findIndex((item) => item.selected));
  let shown = [];

  function draw() {
    const wanted = (filter?.value ?? "").toLowerCase();
    shown = menu.items.filter((item) => item.name.toLowerCase().includes(wanted));
    active = Math.min(active, shown.length - 1);
    rows.replaceChildren();
    let group = null;
    for (const [index, item] of shown.entries()) {
      if (item.group && item.group !== group) rows.append(h("div", { class: "menu-group", role: "presentation" }, item.group));
      group = item.group;
      rows.append(row(item, index));
    }
    if (shown.length === 0) rows.append(h("div", { class: "menu-empty" }, "No results"));
    rows.querySelector(".active")?.scrollIntoView({ block: "nearest" });
  }

  function row(item, index) {
    const option = menu.role === "listbox";
    return h("div", {
      class: `menu-row${index === active ? " active" : ""}${item.danger ? " danger" : ""}`,
      role: option ? "option" : "menuitem",
      "aria-selected": option ? String(Boolean(item.selected)) : null,
      "aria-label": item.name,
      onmousemove: () => highlight(index),
      onclick: () => choose(item),
    }, item.face ?? null,
    h("span", { class: "menu-label" }, h("span", null, item.label), item.note ? h("span", { class: "menu-note" }, item.note) : null),
    item.selected ? icon("check", 16) : null);
  }

  function highlight(index) {
    if (index === active) return;
    active = index;
    for (const [at, node] of [...rows.querySelectorAll(".menu-row")].entries()) node.classList.toggle("active", at === active);
  }

  function choose(item) {
    if (menu.multi) {
      item.selected = !item.selected;
      menu.pick(item);
      draw();
      return;
    }
    close();
    menu.pick(item);
  }

  function onKey(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      active = (active + step + shown.length) % Math.max(1, shown.length);
      draw();
    } else if (event.key === "Enter" || (event.key === " " && !filter)) {
      if (shown[active]) choose(shown[active]);
    } else if (event.key === "Escape" || event.key === "Tab") {
      close();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  const outside = (event) => {
    if (!list.contains(event.target) && !anchor.contains(event.target)) close();
  };

  function close() {
    if (!list.isConnected) return;
    list.remove();
    anchor.setAttribute("aria-expanded", "false");
    document.removeEventListener("pointerdown", outside, true);
    window.removeEventListener("resize", close);
    anchor.focus({ preventScroll: true });
    menu.closed?.();
  }

  draw();
  host.append(list);
  place(list, anchor);
  anchor.setAttribute("aria-expanded", "true");
  list.addEventListener("keydown", onKey);
  document.addEventListener("pointerdown", outside, true);
  window.addEventListener("resize", close);
  (filter ?? rows).focus({ preventScroll: true });
  return close;
}

// place puts the list under its anchor, or above where there is no room.
function place(list, anchor) {
  const at = anchor.getBoundingClientRect();
  const width = list.offsetWidth;
  const height = list.offsetHeight;
  const below = at.bottom + 4 + height <= window.innerHeight;
  list.style.left = `${Math.max(8, Math.min(at.left, window.innerWidth - width - 8))}px`;
  list.style.top = `${below ? at.bottom + 4 : Math.max(8, at.top - 4 - height)}px`;
}
