// pane.js keeps one column of messages equal to what the server says, touching only the rows that changed.
import { h } from "./dom.js";
import { message } from "./message.js";
import { Surface } from "./surface.js";
import { dayTitle, moment, sameDay } from "./dates.js";

const GROUP_SECONDS = 300; // an author's next message within this time stands without the name
const NEAR_END = 48; // CSS pixels; closer than this to the end means: follow what comes

/** Pane is the scrolling list of a channel's or a thread's messages. */
export class Pane {
  /** @param {Object} ctx of the reader; @param {{channel: string, thread: string|null}} place; @param {string} label */
  constructor(ctx, place, label) {
    this.ctx = ctx;
    this.place = place;
    this.rows = new Map(); // id -> {node, signature}
    this.surfaces = new Map(); // id -> Surface
    this.local = []; // lines of the page's own, such as Slackbot's
    this.remote = [];
    this.list = h("div", { class: "messages", role: "log", "aria-label": label });
    this.head = h("div", { class: "pane-head" });
    this.root = h("div", { class: "scroller", tabindex: "0" }, h("div", { class: "filler" }), this.head, this.list);
    this.following = true;
    this.wanted = "";
    this.root.addEventListener("scroll", () => {
      this.following = this.root.scrollHeight - this.root.scrollTop - this.root.clientHeight < NEAR_END;
    });
    // Fonts, unfolding files and a growing message box change the height without a redraw.
    this.watcher = new ResizeObserver(() => this.follow());
    this.watcher.observe(this.list);
    this.watcher.observe(this.root);
  }

  close() {
    this.watcher.disconnect();
    this.root.remove();
  }

  follow() {
    if (this.following) this.root.scrollTop = this.root.scrollHeight;
  }

  /** say adds a line of Slackbot's that only this reader sees, and only on this page. */
  say(text) {
    this.local.push({ ts: (Date.now() / 1000).toFixed(6), user: "USLACKBOT", text, is_ephemeral: true });
    this.following = true;
    this.draw();
  }

  /** trouble puts a line under a message, such as that the app did not answer a press. */
  trouble(surface, text) {
    surface.trouble = text;
    this.draw();
  }

  show(messages) {
    this.remote = messages;
    this.draw();
  }

  /** reveal scrolls to the message with a ts and points it out; false where there is none. */
  reveal(ts) {
    const node = this.rows.get(ts)?.node;
    if (!node) return false;
    this.following = false;
    node.scrollIntoView({ block: "center" });
    node.classList.add("sought");
    return true;
  }

  /** filter hides the messages without a text; "" shows all. */
  filter(text) {
    this.wanted = text.trim().toLowerCase();
    this.sift();
  }

  sift() {
    for (const node of this.list.querySelectorAll(".message")) {
      node.hidden = this.wanted !== "" && !node.textContent.toLowerCase().includes(this.wanted);
    }
  }

  draw() {
    const all = [...this.remote, ...this.local].sort((a, b) => a.ts - b.ts);
    const anchor = this.following ? null : this.firstVisible();
    const focused = document.activeElement?.dataset?.key;
    const wanted = [];
    let last = null;
    for (const [index, data] of all.entries()) {
      if (!last || !sameDay(moment(last.ts), moment(data.ts))) wanted.push(this.divider(data));
      const start = this.place.thread && index === 0;
      wanted.push(this.row(data, !start && isGrouped(last, data, this.ctx.directory) && !(this.place.thread && index === 1)));
      if (start && all.length > 1) wanted.push(this.replies(all.length - 1));
      last = data;
    }
    arrange(this.list, wanted);
    this.sift();
    for (const [id, { node }] of this.rows) if (!node.isConnected) this.rows.delete(id);
    if (anchor) this.root.scrollTop += anchor.node.getBoundingClientRect().top - anchor.top;
    this.follow();
    if (focused && document.activeElement === document.body) this.refocus(focused);
  }

  refocus(key) {
    [...this.list.querySelectorAll("[data-key]")].find((node) => node.dataset.key === key)?.focus({ preventScroll: true });
  }

  firstVisible() {
    const top = this.root.getBoundingClientRect().top;
    const node = [...this.list.children].find((child) => child.getBoundingClientRect().bottom > top);
    return node ? { node, top: node.getBoundingClientRect().top } : null;
  }

  row(data, compact) {
    const id = `${data.ts}${data.is_ephemeral ? "e" : ""}`;
    if (!this.surfaces.has(id)) {
      const surface = new Surface(`${this.place.channel}/${id}`, this.ctx, { channel: this.place.channel, ts: data.ts });
      surface.pane = this;
      this.surfaces.set(id, surface);
    }
    const surface = this.surfaces.get(id);
    const signature = JSON.stringify([data, compact, surface.trouble ?? null]);
    const kept = this.rows.get(id);
    if (kept?.signature === signature) return kept.node;
    const node = message(data, surface, { compact, inThread: Boolean(this.place.thread) });
    if (kept && kept.node.isConnected) kept.node.replaceWith(node);
    this.rows.set(id, { node, signature });
    return node;
  }

  divider(data) {
    return this.fixed(`day ${moment(data.ts).toDateString()}`, () =>
      h("div", { class: "day", role: "separator" }, h("span", null, dayTitle(moment(data.ts)))));
  }

  replies(count) {
    return this.fixed(`replies ${count}`, () =>
      h("div", { class: "reply-line", role: "separator" }, h("span", null, `${count} ${count === 1 ? "reply" : "replies"}`)));
  }

  fixed(id, make) {
    if (!this.rows.has(id)) this.rows.set(id, { node: make(), signature: id });
    return this.rows.get(id).node;
  }
}

function isGrouped(last, data, directory) {
  if (!last || last.is_ephemeral || data.is_ephemeral || last.reply_count > 0) return false;
  const same = directory.author(last).id === directory.author(data).id;
  return same && data.ts - last.ts < GROUP_SECONDS && sameDay(moment(last.ts), moment(data.ts));
}

// arrange makes a node's children the wanted ones, moving none that stands right already.
function arrange(parent, wanted) {
  const keep = new Set(wanted);
  for (const child of [...parent.children]) if (!keep.has(child)) child.remove();
  for (const [index, node] of wanted.entries()) {
    if (parent.children[index] !== node) parent.insertBefore(node, parent.children[index] ?? null);
  }
}
