// selects.js draws the selects, of one option or of several, over given options, people and channels.
import { h } from "./dom.js";
import { icon } from "./icons.js";
import { openMenu } from "./menu.js";
import { plain } from "./tokens.js";
import { state } from "./fields.js";

const people = (el, { directory }) => directory.workspace.users.map((user) => ({
  value: user.id, label: [directory.userName(user.id)], name: directory.userName(user.id), face: directory.face(user.id, 20),
}));

const channels = (el, { directory }) => directory.workspace.channels.map((channel) => ({
  value: channel.id, label: [`# ${channel.name}`], name: channel.name,
}));

function given(el) {
  const item = (group) => (option) => ({
    value: option.value, label: plain(option.text), name: option.text.text, note: option.description && plain(option.description), group,
  });
  return el.option_groups?.flatMap((group) => group.options.map(item(group.label.text))) ?? (el.options ?? []).map(item());
}

/** SELECTS says where each select's options come from. */
export const SELECTS = {
  static_select: given,
  multi_static_select: given,
  users_select: people,
  multi_users_select: people,
  channels_select: channels,
  multi_channels_select: channels,
  conversations_select: channels,
  multi_conversations_select: channels,
};

/** select draws a select: a button that says what is chosen, and its list when pressed. */
export function select(el, blockId, surface, input) {
  const own = state(el, blockId, surface, input);
  const multi = el.type.startsWith("multi_");
  const items = () => SELECTS[el.type](el, surface.ctx);
  const chosen = () => {
    const wanted = multi ? own.value : [own.value];
    return items().filter((item) => wanted.includes(item.value));
  };
  const face = h("span", { class: "select-face" });
  const button = h("button", {
    class: "select", type: "button", "aria-haspopup": "listbox", "aria-expanded": "false", data: { key: own.key },
    "aria-busy": surface.busy.has(own.key) ? "true" : null,
    onclick: () => (multi ? openMany() : openOne()),
  }, face, icon("down", 16));

  function draw() {
    const now = chosen();
    face.classList.toggle("placeholder", now.length === 0);
    face.replaceChildren(...(now.length === 0 ? [el.placeholder?.text ?? "Select an item"]
      : multi ? now.map((item) => h("span", { class: "chip" }, item.label.map(copy))) : now[0].label));
    const says = now.map((item) => item.name).join(", ");
    button.setAttribute("aria-label", input ? [own.label, says].filter(Boolean).join(": ") : says || own.label);
  }

  function openOne() {
    openMenu(button, {
      role: "listbox", name: own.label,
      items: items().map((item) => ({ ...item, selected: item.value === own.value })),
      pick: (item) => {
        own.keep(item.value);
        draw();
        own.tell(item.value);
      },
    });
  }

  // Slack tells the app of a multi-select once, when its list closes.
  function openMany() {
    const before = own.value.join();
    const most = el.max_selected_items ?? Infinity;
    openMenu(button, {
      role: "listbox", name: own.label, multi: true,
      items: items().map((item) => ({ ...item, selected: own.value.includes(item.value) })),
      pick: (item) => {
        const rest = own.value.filter((value) => value !== item.value);
        if (item.selected && rest.length >= most) item.selected = false;
        own.keep(item.selected ? [...rest, item.value] : rest);
        draw();
      },
      closed: () => {
        if (own.value.join() !== before) own.tell(own.value);
      },
    });
  }

  draw();
  return button;
}

const copy = (node) => (typeof node === "string" ? node : node.cloneNode(true));
