// app.js is the page itself: who reads which channel and thread, and what is fetched when.
import { h } from "./dom.js";
import { api } from "./api.js";
import { clickError, commandError, commandInThread, unknownCommand } from "./errors.js";
import { Composer, encode } from "./composer.js";
import { confirm } from "./dialogs.js";
import { Directory } from "./people.js";
import { Guide } from "./guide.js";
import { Modal } from "./modal.js";
import { Pane } from "./pane.js";
import { channelHead, rail, sidebar, threadHead, topBar, welcome } from "./shell.js";
import { tick } from "./tokens.js";

const TICK = 5000; // milliseconds between redraws of "3 minutes ago"

/** App owns the page's state. It is the ctx that every drawing function gets. */
export class App {
  constructor(workspace, root) {
    this.root = root;
    this.directory = new Directory(workspace);
    this.workspaceName = workspace.team?.name ?? workspace.team ?? "Workspace";
    this.unread = new Set();
    this.seen = new Map(); // channel -> ts of its newest message when it was last looked at
    this.drafts = new Map(); // place -> what is typed there
    this.modal = new Modal(this);
    this.guide = workspace.guide?.length ? new Guide(workspace.guide) : null;
    this.readAddress();
  }

  /** start draws the page and keeps it up to date. */
  start() {
    this.build();
    for (const { id } of this.directory.workspace.channels) this.look(id);
    api.listen((event) => this.nudged(event), (open) => this.root.classList.toggle("offline", !open));
    window.addEventListener("popstate", () => {
      this.readAddress();
      this.build();
    });
    window.setInterval(() => tick(this.root), TICK);
  }

  // The address says everything that a picture or a test needs to come back to.
  readAddress() {
    const query = new URLSearchParams(window.location.search);
    const { users, channels } = this.directory;
    this.user = users.has(query.get("user")) ? query.get("user") : [...users.keys()][0];
    this.channel = channels.has(query.get("channel")) ? query.get("channel") : [...channels.keys()][0];
    this.thread = query.get("thread") || null;
    this.sought = query.get("message");
    const system = window.matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
    this.theme = query.get("theme") ?? window.localStorage.getItem("theme") ?? system;
    document.documentElement.dataset.theme = this.theme;
  }

  writeAddress() {
    const query = new URLSearchParams({ user: this.user, channel: this.channel });
    if (this.thread) query.set("thread", this.thread);
    if (new URLSearchParams(window.location.search).has("theme")) query.set("theme", this.theme);
    const address = `?${query}`;
    if (address !== window.location.search) window.history.pushState(null, "", address);
  }

  build() {
    this.writeAddress();
    document.title = `#${this.directory.channelName(this.channel)} · ${this.workspaceName}`;
    this.root.replaceChildren(topBar(this), rail(this), h("div", { class: "card" }, sidebar(this), this.buildChannel(), this.buildThread()),
      h("div", { class: "connection", role: "status" }, "Connecting…"));
    this.root.classList.toggle("has-thread", Boolean(this.thread));
    this.refresh();
    this.refreshView();
  }

  buildChannel() {
    this.pane?.close();
    this.pane = new Pane(this, { channel: this.channel, thread: null }, `Messages in ${this.directory.channelName(this.channel)}`);
    this.pane.head.append(...welcome(this));
    this.composer = this.newComposer(`Message #${this.directory.channelName(this.channel)}`, null);
    return h("main", { class: "channel" }, channelHead(this), this.guide?.root, this.pane.root, this.composer.root);
  }

  buildThread() {
    this.threadPane?.close();
    this.threadPane = null;
    if (!this.thread) return null;
    this.threadPane = new Pane(this, { channel: this.channel, thread: this.thread }, "Thread");
    return h("section", { class: "thread", "aria-label": "Thread" }, threadHead(this), this.threadPane.root, this.newComposer("Reply…", this.thread).root);
  }

  newComposer(placeholder, thread) {
    const key = [this.user, this.channel, thread].join();
    return new Composer(this, { placeholder, thread: Boolean(thread), draft: this.drafts.get(key) ?? "" }, {
      typed: (text) => this.drafts.set(key, text),
      send: (text) => this.send(text, thread),
    });
  }

  async send(typed, thread) {
    const pane = thread ? this.threadPane : this.pane;
    pane.following = true;
    if (!typed.startsWith("/")) {
      const answer = await api.message({ user: this.user, channel: this.channel, text: encode(typed.trim(), this.directory), ...(thread ? { thread } : {}) });
      if (!answer.ok) pane.say(`Your message was not sent: ${answer.error === "unreachable" ? clickError("unreachable") : answer.error}`);
      return this.refresh();
    }
    const [, command, text] = typed.match(/^(\S+)\s*([\s\S]*)$/);
    if (thread) return pane.say(commandInThread(command, this.directory.bot.name));
    if (!this.directory.workspace.commands.some((each) => each.command === command)) return pane.say(unknownCommand(command));
    const answer = await api.command({ user: this.user, channel: this.channel, command, text: text.trim() });
    if (!answer.ok) pane.say(commandError(command, answer.error));
    return this.refresh();
  }

  /** press carries a press on an element to the app, through its confirm dialog where it has one. */
  async press(body, surface, key) {
    const click = { user: this.user, ...body };
    surface.trouble = null;
    let answer = await api.click(click);
    if (answer.error === "needs_confirmation") {
      surface.mark(key, false);
      if (!(await confirm(answer.confirm, this))) return;
      surface.mark(key, true);
      answer = await api.click({ ...click, confirmed: true });
    }
    if (!answer.ok) {
      surface.trouble = clickError(answer.error);
      surface.pane?.draw();
      surface.modal?.draw();
    }
    await Promise.all([this.refresh(), this.refreshView()]);
  }

  openChannel(id) {
    this.channel = id;
    this.thread = null;
    this.root.classList.remove("show-channels");
    this.build();
  }

  openThread(ts) {
    this.thread = ts;
    this.writeAddress();
    this.root.querySelector(".thread")?.remove();
    const section = this.buildThread();
    if (section) this.root.querySelector(".card").append(section);
    this.root.classList.toggle("has-thread", Boolean(ts));
    this.refresh();
  }

  become(user) {
    this.user = user;
    this.modal.show(null);
    this.build();
  }

  showChannels() {
    this.root.classList.add("show-channels");
  }

  toggleTheme() {
    this.theme = this.theme === "dark" ? "light" : "dark";
    window.localStorage.setItem("theme", this.theme);
    document.documentElement.dataset.theme = this.theme;
    this.root.querySelector(".top-bar").replaceWith(topBar(this));
    this.writeAddress();
  }

  filter(text) {
    this.pane.filter(text);
    this.threadPane?.filter(text);
  }

  nudged(event) {
    if (event.type === "view") return this.refreshView();
    if (event.type === "all") this.refreshView();
    if (event.channel && event.channel !== this.channel) return this.look(event.channel);
    return this.refresh();
  }

  /** refresh fetches what is shown. Calls that come while one runs become one more run. */
  refresh() {
    this.again = true;
    this.running ??= this.fetchShown().finally(() => {
      this.running = null;
    });
    return this.running;
  }

  async fetchShown() {
    while (this.again) {
      this.again = false;
      const { pane, threadPane, user, channel, thread } = this;
      const [top, replies] = await Promise.all([api.messages(user, channel), thread ? api.messages(user, channel, thread) : null]);
      if (pane !== this.pane || threadPane !== this.threadPane) {
        this.again = true;
        continue;
      }
      if (top.messages) {
        pane.show(top.messages);
        this.guide?.follow(pane.list);
        if (this.sought && pane.reveal(this.sought)) this.sought = null;
        this.seen.set(channel, newest(top.messages));
        this.mark(channel, false);
      }
      if (replies?.messages) threadPane.show(replies.messages);
    }
  }

  async refreshView() {
    const { user } = this;
    const answer = await api.view(user);
    if (user !== this.user || answer?.error) return;
    this.modal.show(answer?.view === undefined ? answer : answer.view);
  }

  // look asks whether a channel that is not shown has something newer than what was seen of it.
  async look(channel) {
    const answer = await api.messages(this.user, channel);
    if (!answer.messages || channel === this.channel) return;
    const last = newest(answer.messages);
    if (!this.seen.has(channel)) this.seen.set(channel, last);
    this.mark(channel, last > this.seen.get(channel));
  }

  mark(channel, unread) {
    if (this.unread.has(channel) === unread) return;
    if (unread) this.unread.add(channel);
    else this.unread.delete(channel);
    this.root.querySelector(".sidebar").replaceWith(sidebar(this));
  }
}

const newest = (messages) => messages.at(-1)?.ts ?? "";
