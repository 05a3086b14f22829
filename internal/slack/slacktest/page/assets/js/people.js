// people.js knows who and what an ID stands for, and draws names and faces.
import { h } from "./dom.js";

const COLOURS = ["#3b6fb6", "#2a8a6e", "#9c4d97", "#b5672b", "#6a5acd", "#a83f4f", "#4a7a2f"];

/** Directory answers by ID from what GET /user/workspace said. */
export class Directory {
  constructor(workspace) {
    this.workspace = workspace;
    this.users = new Map(workspace.users.map((user) => [user.id, user]));
    this.channels = new Map(workspace.channels.map((channel) => [channel.id, channel]));
    this.groups = new Map((workspace.usergroups ?? []).map((group) => [group.id, group]));
    this.bot = workspace.bot;
  }

  /** userName is the name shown for a person or the bot; the ID itself where nobody has it. */
  userName(id) {
    if (id === this.bot.user_id) return this.bot.name;
    const user = this.users.get(id);
    return user ? user.real_name || user.name : id;
  }

  channelName(id) {
    return this.channels.get(id)?.name ?? id;
  }

  groupName(id) {
    return this.groups.get(id)?.handle ?? id;
  }

  /** author is who wrote a message: {id, name, app}. */
  author(message) {
    const app = Boolean(message.bot_id) || message.user === this.bot.user_id;
    if (app) return { id: this.bot.user_id, name: message.username ?? this.bot.name, app };
    return { id: message.user, name: message.user === "USLACKBOT" ? "Slackbot" : this.userName(message.user), app };
  }

  /** face is an author's picture, `size` CSS pixels wide. */
  face(id, size = 36) {
    const node = h("span", { class: "face", "aria-hidden": "true" });
    node.style.setProperty("--face", `${size}px`);
    if (id === this.bot.user_id) {
      node.classList.add("face-app");
      node.append(h("img", { src: "/assets/bot.svg", alt: "", width: size, height: size }));
      return node;
    }
    if (id === "USLACKBOT") {
      node.classList.add("face-slackbot");
      node.append("S");
      return node;
    }
    const index = [...this.users.keys()].indexOf(id);
    node.style.setProperty("--tint", COLOURS[(index + COLOURS.length) % COLOURS.length]);
    node.append(initials(this.userName(id)));
    return node;
  }
}

function initials(name) {
  const words = name.split(/[\s._-]+/).filter(Boolean);
  const letters = words.length > 1 ? words[0][0] + words.at(-1)[0] : (words[0] ?? "?")[0];
  return letters.toUpperCase();
}
