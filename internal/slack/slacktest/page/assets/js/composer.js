// composer.js is the message box: what is typed, the list of commands over it, mentions, and sending.
import { h } from "./dom.js";
import { icon } from "./icons.js";

const MARKS = [
  ["Bold", "bold", "*", "*"], ["Italic", "italic", "_", "_"], ["Strikethrough", "strike", "~", "~"],
  ["Quote", "quote", "\n> ", ""], ["Code", "code", "`", "`"], ["Code block", "fence", "```\n", "\n```"],
];

/** Composer is one message box; a channel and a thread each have their own. */
export class Composer {
  /**
   * @param {Object} ctx of the reader
   * @param {{placeholder: string, thread: boolean, draft: string}} look
   * @param {{send: function(string), typed: function(string)}} on send gets the text as typed
   */
  constructor(ctx, look, on) {
    this.ctx = ctx;
    this.look = look;
    this.on = on;
    this.offers = [];
    this.active = 0;
    this.box = h("textarea", {
      class: "box", rows: 1, placeholder: look.placeholder, "aria-label": look.placeholder, spellcheck: "false",
      role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false",
      oninput: () => this.changed(), onkeydown: (event) => this.key(event), onclick: () => this.suggest(), onblur: () => this.hide(),
    });
    this.button = h("button", { class: "send", type: "button", "aria-label": look.thread ? "Send reply" : "Send now", disabled: true, onclick: () => this.send() }, icon("send"));
    this.list = h("div", { class: "offers", role: "listbox", "aria-label": "Suggestions", hidden: true });
    this.root = h("div", { class: "composer" }, this.list, h("div", { class: "composer-box" },
      h("div", { class: "composer-marks" }, MARKS.map(([name, glyph, before, after]) => this.tool(name, glyph, () => this.wrap(before, after)))),
      this.box,
      h("div", { class: "composer-foot" },
        this.tool("Mention someone", "at", () => this.wrap("@", "")),
        look.thread ? null : this.tool("Run a command", "slash", () => this.replace("/")),
        h("span", { class: "spacer" }), this.button)));
    this.replace(look.draft);
  }

  tool(name, glyph, act) {
    // mousedown is held back so that the box keeps its focus and its selection.
    return h("button", { class: "tool", type: "button", "aria-label": name, title: name, onmousedown: (event) => event.preventDefault(), onclick: act }, icon(glyph));
  }

  replace(text) {
    this.box.value = text;
    if (document.activeElement !== this.box && this.root.isConnected) this.box.focus();
    this.changed();
  }

  wrap(before, after) {
    const { selectionStart: from, selectionEnd: to, value } = this.box;
    const lead = from === 0 ? before.trimStart() : before;
    this.box.setRangeText(lead + value.slice(from, to) + after, from, to, "end");
    if (from === to) this.box.selectionStart = this.box.selectionEnd = from + lead.length;
    this.box.focus();
    this.changed();
  }

  changed() {
    const { box } = this;
    box.style.height = "auto";
    box.style.height = `${Math.min(box.scrollHeight, 240)}px`;
    this.button.disabled = box.value.trim() === "";
    this.on.typed(box.value);
    this.suggest();
  }

  async send() {
    const text = this.box.value;
    if (text.trim() === "") return;
    this.replace("");
    this.hide();
    await this.on.send(text);
  }

  key(event) {
    if (event.isComposing) return;
    if (this.offers.length > 0) {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      const chosen = this.offers[this.active];
      if (step) {
        this.active = (this.active + step + this.offers.length) % this.offers.length;
        this.draw();
        return event.preventDefault();
      }
      if (event.key === "Escape") {
        this.hide();
        return event.preventDefault();
      }
      // Enter on a command that stands there already, word for word, sends it.
      if (event.key === "Tab" || (event.key === "Enter" && !event.shiftKey && !chosen.typed)) {
        chosen.take();
        return event.preventDefault();
      }
    }
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      this.send();
    }
  }

  // suggest looks at what stands before the cursor: a command at the very start, or a mention.
  suggest() {
    const before = this.box.value.slice(0, this.box.selectionStart);
    const command = this.look.thread ? null : before.match(/^(\/\S*)$/);
    const mention = before.match(/(?:^|\s)@([\w.-]*)$/);
    this.offers = command ? this.commands(command[1]) : mention ? this.mentions(mention[1]) : [];
    this.active = 0;
    this.draw();
  }

  commands(typed) {
    const { directory } = this.ctx;
    return directory.workspace.commands.filter((each) => each.command.startsWith(typed)).map((each) => ({
      name: each.command, typed: each.command === typed,
      face: directory.face(directory.bot.user_id, 36),
      label: [h("span", { class: "offer-command" }, each.command, each.usage_hint ? h("span", { class: "offer-hint" }, ` ${each.usage_hint}`) : null),
        h("span", { class: "offer-note" }, each.description ?? "")],
      from: directory.bot.name,
      take: () => this.replace(`${each.command} `),
    }));
  }

  mentions(typed) {
    const { directory } = this.ctx;
    const people = [{ id: directory.bot.user_id, name: directory.bot.name, real_name: "" }, ...directory.workspace.users];
    const like = typed.toLowerCase();
    return people.filter((one) => [one.name, one.real_name ?? ""].some((name) => name.toLowerCase().startsWith(like))).slice(0, 8).map((one) => ({
      name: one.name,
      face: directory.face(one.id, 24),
      label: [h("span", { class: "offer-command" }, one.real_name || one.name), h("span", { class: "offer-note" }, one.real_name ? one.name : "app")],
      take: () => this.mention(one.name, typed.length + 1),
    }));
  }

  mention(name, length) {
    const at = this.box.selectionStart;
    this.box.setRangeText(`@${name} `, at - length, at, "end");
    this.changed();
  }

  hide() {
    this.offers = [];
    this.draw();
  }

  draw() {
    this.list.hidden = this.offers.length === 0;
    this.box.setAttribute("aria-expanded", String(this.offers.length > 0));
    this.list.replaceChildren(...this.offers.map((offer, index) => h("div", {
      class: `offer${index === this.active ? " active" : ""}`, role: "option", "aria-selected": String(index === this.active), "aria-label": offer.name,
      onmousedown: (event) => event.preventDefault(), onclick: () => offer.take(),
    }, offer.face, h("span", { class: "offer-label" }, offer.label), offer.from ? h("span", { class: "offer-from" }, offer.from) : null)));
  }
}

/** encode names the people, the channels and the bot in a typed text by their tokens; the server escapes the rest. */
export function encode(typed, directory) {
  const people = new Map(directory.workspace.users.map((user) => [user.name, user.id])).set(directory.bot.name, directory.bot.user_id);
  const channels = new Map(directory.workspace.channels.map((channel) => [channel.name, channel.id]));
  return typed
    .replace(/(^|[\s(])@(here|channel|everyone)\b/g, "$1<!$2>")
    .replace(/(^|[\s(])@([\w.-]*\w)/g, (all, lead, name) => (people.has(name) ? `${lead}<@${people.get(name)}>` : all))
    .replace(/(^|[\s(])#([\w-]+)/g, (all, lead, name) => (channels.has(name) ? `${lead}<#${channels.get(name)}>` : all));
}
